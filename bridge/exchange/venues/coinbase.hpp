#pragma once

#include <simdjson.h>

#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Coinbase Exchange, the channels `matches`, `heartbeat` and `ticker`, which tells the best bid and ask with each
/// trade. Source: "Coinbase Exchange" documentation, pages "WebSocket Overview", "WebSocket Channels", "Get all known
/// trading pairs", "Get product trades", "Get product candles" and "Pagination".
class Coinbase final : public Venue {
 public:
  using Venue::Venue;

  [[nodiscard]] std::string instruments_target() const override { return "/products"; }
  [[nodiscard]] Limits limits() const override { return {100, 500, std::chrono::milliseconds(200)}; }
  [[nodiscard]] std::string subscribe_message(Channel channel, std::span<const std::uint32_t> instruments,
                                              bool is_on) const override;
  FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) override;

  [[nodiscard]] bool says_unlisted(std::string_view body) override;

  [[nodiscard]] IdRule id_rule() const override { return IdRule::contiguous; }
  /// An address may ask ten times a second.
  [[nodiscard]] HistoryRules history_rules() const override {
    return {std::chrono::milliseconds(150), HistoryRules::Order::newest_first, 1'000};
  }
  [[nodiscard]] std::string history_target(const HistoryQuery& query) const override;
  [[nodiscard]] DecodeError read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Trade>& out) override;

  [[nodiscard]] std::string candles_target(const CandleQuery& query) const override;
  [[nodiscard]] DecodeError read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Candle>& out) override;

 private:
  DecodeError each_instrument(std::string_view body, const Listed& listed) override;

  simdjson::ondemand::parser parser_;
};

}  // namespace livetape::bridge
