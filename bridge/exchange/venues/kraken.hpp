#pragma once

#include <simdjson.h>

#include <optional>

#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Kraken spot, WebSocket API v2, the channels `trade`, and `ticker` for each change of the best bid or ask.
/// Source: Kraken's API documentation, "Spot WebSocket v2", pages "Trade", "Ticker" and "Ping"; "Spot REST", pages "Get
/// Tradable Asset Pairs", "Get Recent Trades" and "Get OHLC Data".
class Kraken final : public Venue {
 public:
  using Venue::Venue;

  [[nodiscard]] std::string instruments_target() const override { return "/0/public/AssetPairs"; }
  [[nodiscard]] Limits limits() const override { return {100, 1'000, std::chrono::milliseconds(250)}; }
  [[nodiscard]] std::string subscribe_message(Channel channel, std::span<const std::uint32_t> instruments,
                                              bool is_on) const override;
  [[nodiscard]] std::optional<KeepAlive> keep_alive() const override {
    return KeepAlive{std::chrono::seconds(30), R"({"method":"ping"})"};
  }
  FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) override;

  [[nodiscard]] std::optional<Refusal> refusal(std::string_view body) override;
  [[nodiscard]] bool says_unlisted(std::string_view body) override;

  [[nodiscard]] IdRule id_rule() const override { return IdRule::contiguous; }
  /// An address may ask about once a second.
  [[nodiscard]] HistoryRules history_rules() const override {
    return {std::chrono::milliseconds(1'000), HistoryRules::Order::oldest_first, 1'000, true};
  }
  [[nodiscard]] std::string history_target(const HistoryQuery& query) const override;
  [[nodiscard]] DecodeError read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Trade>& out) override;

  [[nodiscard]] std::string candles_target(const CandleQuery& query) const override;
  [[nodiscard]] DecodeError read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                         std::vector<Candle>& out) override;

 private:
  /// What stands around the trades of a frame, or in an answer; nothing where it is missing or of the wrong type.
  struct Envelope {
    std::optional<std::string_view> channel;
    std::optional<std::string_view> type;
    std::optional<std::string_view> method;
    std::optional<bool> success;
    std::string_view error;
    std::optional<DecodeError> flaw;  // the first of the trades' or quotes', `none` when all are good
  };

  static FrameResult judge(const Envelope& envelope);
  std::optional<DecodeError> decode_data(simdjson::ondemand::value& data, bool has_quotes, std::int64_t receive_time_ns,
                                         Decoded& out) const;
  DecodeError decode_trade(simdjson::ondemand::value& item, std::int64_t receive_time_ns,
                           std::vector<Trade>& out) const;
  DecodeError decode_quote(simdjson::ondemand::value& item, std::int64_t receive_time_ns,
                           std::vector<Quote>& out) const;
  DecodeError read_row(simdjson::ondemand::value& row, const HistoryQuery& query, std::int64_t receive_time_ns,
                       std::vector<Trade>& out) const;
  DecodeError each_instrument(std::string_view body, const Listed& listed) override;

  simdjson::ondemand::parser parser_;
};

}  // namespace livetape::bridge
