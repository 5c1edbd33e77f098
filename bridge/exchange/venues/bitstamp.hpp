#pragma once

#include <simdjson.h>

#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Bitstamp, the channels `live_trades_…`, and `order_book_…` for the best bid and ask. Its trade ids rise, but other
/// instruments' trades lie between them, so that they do not tell what is missing; its history tells times to the
/// second, and its answers are kept for a while and given again: those that were looked at were up to 28 seconds old.
/// Source: Bitstamp's "WebSocket API v2" and "HTTP API" documentation, "Transactions", "OHLC data" and "Trading
/// pairs info".
class Bitstamp final : public Venue {
 public:
  using Venue::Venue;

  [[nodiscard]] std::string instruments_target() const override { return "/api/v2/trading-pairs-info/"; }
  [[nodiscard]] Limits limits() const override { return {1, 100, std::chrono::milliseconds(50)}; }
  [[nodiscard]] std::string subscribe_message(Channel channel, std::span<const std::uint32_t> instruments,
                                              bool is_on) const override;
  [[nodiscard]] std::optional<KeepAlive> keep_alive() const override {
    return KeepAlive{std::chrono::seconds(30), R"({"event":"bts:heartbeat"})"};
  }
  FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) override;

  [[nodiscard]] IdRule id_rule() const override { return IdRule::unordered; }
  /// A client may ask 10,000 times in ten minutes. An answer has all of its time, however many they are.
  [[nodiscard]] HistoryRules history_rules() const override {
    return {.pace = std::chrono::milliseconds(100),
            .order = HistoryRules::Order::newest_first,
            .page = 0,
            .age = std::chrono::seconds(30)};
  }
  [[nodiscard]] std::string history_target(const HistoryQuery& query) const override;
  [[nodiscard]] DecodeError read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Trade>& out) override;
  [[nodiscard]] std::int64_t complete_since_ns(const HistoryQuery& query, std::span<const Trade> page) const override;
  [[nodiscard]] std::int64_t history_resolution_ns() const override { return 1'000'000'000; }

  [[nodiscard]] std::string candles_target(const CandleQuery& query) const override;
  [[nodiscard]] DecodeError read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Candle>& out) override;

 private:
  DecodeError each_instrument(std::string_view body, const Listed& listed) override;

  simdjson::ondemand::parser parser_;
};

}  // namespace livetape::bridge
