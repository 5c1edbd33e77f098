#pragma once

#include <simdjson.h>

#include "exchange/symbols.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Kraken spot, WebSocket API v2, channel `trade`.
/// Source: Kraken's API documentation, "Spot WebSocket v2", pages "Trade" and "Ping".
class Kraken final : public Venue {
 public:
  explicit Kraken(const std::vector<std::string>& instruments);

  [[nodiscard]] std::vector<std::string> subscribe_messages() const override;
  [[nodiscard]] std::chrono::milliseconds subscribe_pace() const override { return std::chrono::milliseconds(250); }
  [[nodiscard]] std::optional<KeepAlive> keep_alive() const override {
    return KeepAlive{std::chrono::seconds(30), R"({"method":"ping"})"};
  }
  FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, std::vector<Trade>& out) override;

 private:
  FrameResult decode_answer(simdjson::ondemand::object& root, std::string_view frame);
  DecodeError decode_trade(simdjson::ondemand::object& data, std::int64_t receive_time_ns, Trade& trade);

  std::vector<std::string> venue_symbols_;
  Symbols symbols_;
  simdjson::ondemand::parser parser_;
};

}  // namespace livetape::bridge
