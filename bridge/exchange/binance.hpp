#pragma once

#include <simdjson.h>

#include "exchange/symbols.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Binance spot, the `trade` streams, by the combined-stream endpoint `/stream`.
/// Source: "WebSocket Streams for Binance", sections "General WSS information" and "Trade Streams".
class Binance final : public Venue {
 public:
  explicit Binance(const std::vector<std::string>& instruments);

  [[nodiscard]] std::vector<std::string> subscribe_messages() const override;
  [[nodiscard]] std::chrono::milliseconds subscribe_pace() const override { return std::chrono::milliseconds(250); }
  FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, std::vector<Trade>& out) override;

 private:
  DecodeError decode_trade(simdjson::ondemand::object& data, std::int64_t receive_time_ns, Trade& trade);

  std::vector<std::string> streams_;
  Symbols symbols_;
  simdjson::ondemand::parser parser_;
};

}  // namespace livetape::bridge
