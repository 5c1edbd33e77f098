#pragma once

#include <simdjson.h>

#include <optional>

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
  /// What stands around the trades of a frame, or in an answer; nothing where it is missing or of the wrong type.
  struct Envelope {
    std::optional<std::string_view> channel;
    std::optional<std::string_view> type;
    std::optional<std::string_view> method;
    std::optional<bool> success;
    std::string_view error;
    std::optional<DecodeError> flaw;  // the first of the trades', `none` when all are good
  };
  /// The same of one trade. The texts are in the parser's memory until the next frame.
  struct Fields {
    std::optional<std::string_view> symbol;
    std::optional<std::string_view> side;
    std::optional<std::string_view> price;
    std::optional<std::string_view> size;
    std::optional<std::int64_t> id;
    std::optional<std::string_view> timestamp;
  };

  static FrameResult judge(const Envelope& envelope);
  std::optional<DecodeError> decode_data(simdjson::ondemand::value& data, std::int64_t receive_time_ns,
                                         std::vector<Trade>& out);
  DecodeError decode_trade(simdjson::ondemand::value& item, std::int64_t receive_time_ns, Trade& trade) const;
  DecodeError make_trade(const Fields& fields, std::int64_t receive_time_ns, Trade& trade) const;

  std::vector<std::string> venue_symbols_;
  Symbols symbols_;
  simdjson::ondemand::parser parser_;
};

}  // namespace livetape::bridge
