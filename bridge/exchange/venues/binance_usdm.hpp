#pragma once

#include <simdjson.h>

#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Binance USD-M futures, perpetual contracts, the streams `aggTrade` and `bookTicker`. An aggTrade is one for all
/// fills of one price and taking side within 100 ms, whatever orders they are of, and has the time of the first: the
/// last ones may be in the next minute, where the klines count them. Single fills are neither documented as a stream
/// nor to be had from the history without a key. Source: Binance' "USDS-Margined Futures" documentation, pages
/// "WebSocket Market Streams", "Aggregate Trade Streams", "Individual Symbol Book Ticker Streams", "Exchange
/// Information", "Compressed/Aggregate Trades List" and "Kline/Candlestick Data".
class BinanceUsdm final : public Venue {
 public:
  using Venue::Venue;

  [[nodiscard]] std::string instruments_target() const override { return "/fapi/v1/exchangeInfo"; }
  /// The book's streams are public, trades and bars are market data: two endpoints.
  [[nodiscard]] std::string path(Channel channel) const override {
    return channel == Channel::quotes ? "/public/stream" : "";
  }
  [[nodiscard]] Limits limits() const override { return {100, 200, std::chrono::milliseconds(150)}; }
  [[nodiscard]] std::string subscribe_message(Channel channel, std::span<const std::uint32_t> instruments,
                                              bool is_on) const override;
  FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) override;

  [[nodiscard]] bool says_unlisted(std::string_view body) override;

  [[nodiscard]] IdRule id_rule() const override { return IdRule::contiguous; }
  /// A question weighs 20 of the 2,400 that an address may ask for in a minute.
  [[nodiscard]] HistoryRules history_rules() const override {
    return {std::chrono::milliseconds(600), HistoryRules::Order::oldest_first, 1'000};
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
