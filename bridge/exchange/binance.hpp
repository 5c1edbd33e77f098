#pragma once

#include <simdjson.h>

#include <optional>

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
  /// What a frame says of what a trade needs; nothing where it is missing or of the wrong type. The texts are in the
  /// parser's memory until the next frame.
  struct Fields {
    std::string_view event;
    std::optional<std::string_view> symbol;
    std::optional<std::int64_t> id;
    std::optional<std::string_view> price;
    std::optional<std::string_view> size;
    std::optional<std::int64_t> time_ms;
    std::optional<bool> buyer_is_maker;
    std::string_view error;
    bool has_data = false;
    bool has_time = false;
    bool has_update_id = false;
    bool has_request_id = false;
    bool has_error = false;
  };

  static void read_data(simdjson::ondemand::value& data, Fields& fields);
  static void read_field(std::string_view key, simdjson::ondemand::value& field, Fields& fields);
  DecodeError make_trade(const Fields& fields, std::int64_t receive_time_ns, Trade& trade) const;

  std::vector<std::string> streams_;
  Symbols symbols_;
  simdjson::ondemand::parser parser_;
};

}  // namespace livetape::bridge
