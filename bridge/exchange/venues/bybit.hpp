#pragma once

#include <simdjson.h>

#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Bybit spot, API v5, the topics `publicTrade.…`, and `orderbook.1.…` for the best bid and ask. Its trade ids say
/// nothing of each other, and its history has no more than the last 60 trades: what is beyond them cannot be had. Its
/// candles open at the close before them, which their highs and lows take in. Source: Bybit's "V5 API" documentation,
/// pages "Connect", "Trade", "Orderbook", "Get Recent Public Trades", "Get Kline", "Get Instruments Info".
class Bybit final : public Venue {
 public:
  using Venue::Venue;

  [[nodiscard]] std::string instruments_target() const override {
    return "/v5/market/instruments-info?category=spot&limit=1000";
  }
  /// A request of spot takes ten topics, a connection 21,000 characters of them.
  [[nodiscard]] Limits limits() const override { return {10, 500, std::chrono::milliseconds(100)}; }
  [[nodiscard]] std::string subscribe_message(Channel channel, std::span<const std::uint32_t> instruments,
                                              bool is_on) const override;
  [[nodiscard]] std::optional<KeepAlive> keep_alive() const override {
    return KeepAlive{std::chrono::seconds(20), R"({"op":"ping"})"};
  }
  FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) override;

  [[nodiscard]] std::optional<Refusal> refusal(std::string_view body) override;
  [[nodiscard]] bool says_unlisted(std::string_view body) override;

  [[nodiscard]] IdRule id_rule() const override { return IdRule::unordered; }
  /// An address may ask 600 times in five seconds.
  [[nodiscard]] HistoryRules history_rules() const override {
    return {std::chrono::milliseconds(50), HistoryRules::Order::newest_first, 60};
  }
  [[nodiscard]] std::string history_target(const HistoryQuery& query) const override;
  [[nodiscard]] DecodeError read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Trade>& out) override;

  [[nodiscard]] std::string candles_target(const CandleQuery& query) const override;
  [[nodiscard]] DecodeError read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Candle>& out) override;

 private:
  /// What stands around the trades of a frame, or in an answer.
  struct Envelope {
    std::string_view topic;
    std::string_view operation;
    std::string_view message;
    std::optional<bool> success;
    QuoteFields quote;
    DecodeError flaw = DecodeError::none;  // the first of the trades', or the quote's
  };

  [[nodiscard]] static FrameResult judge(const Envelope& envelope);
  DecodeError read_trades(simdjson::ondemand::value& list, std::int64_t receive_time_ns, std::vector<Trade>& out) const;
  DecodeError each_instrument(std::string_view body, const Listed& listed) override;

  simdjson::ondemand::parser parser_;
};

}  // namespace livetape::bridge
