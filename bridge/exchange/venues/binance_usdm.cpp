#include "exchange/venues/binance_usdm.hpp"

#include <algorithm>

#include "exchange/candle_rows.hpp"
#include "exchange/json.hpp"
#include "exchange/rest_lists.hpp"
#include "exchange/venues/binance_api.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::value;

/// What the stream and the history say alike, by names of one letter. `m` says that the buyer was the maker.
void read_field(std::string_view key, value& field, TradeFields& fields) {
  if (key == "s") fields.symbol = as<std::string_view>(field);
  if (key == "a") fields.number = as<std::int64_t>(field);
  if (key == "p") fields.price = as<std::string_view>(field);
  if (key == "q") fields.size = as<std::string_view>(field);
  if (key == "T") fields.set_milliseconds(as<std::int64_t>(field));
  if (key == "m") fields.set_buyer_is_maker(as<bool>(field));
}

void read_quote(std::string_view key, value& field, QuoteFields& quote) {
  if (key == "s") quote.symbol = as<std::string_view>(field);
  if (key == "u") quote.seq = as<std::int64_t>(field);
  if (key == "b") quote.bid_price = as<std::string_view>(field);
  if (key == "B") quote.bid_size = as<std::string_view>(field);
  if (key == "a") quote.ask_price = as<std::string_view>(field);
  if (key == "A") quote.ask_size = as<std::string_view>(field);
  if (key == "T") quote.set_milliseconds(as<std::int64_t>(field));
}

/// Contracts on metals and stocks have a type of their own.
bool is_perpetual(std::string_view contract_type) noexcept {
  return contract_type == "PERPETUAL" || contract_type == "TRADIFI_PERPETUAL";
}

bool is_harmless(std::string_view event) {
  constexpr std::string_view kOthers[] = {"depthUpdate", "trade", "kline", "markPriceUpdate"};
  return std::ranges::find(kOthers, event) != std::end(kOthers);
}

}  // namespace

DecodeError BinanceUsdm::each_instrument(std::string_view body, const Listed& listed) {
  return each_item_under("symbols", parser_, body, [&](value& item) {
    std::string_view symbol, base, quote, type;
    const bool is_read = each_field_of(item, [&](std::string_view name, value& part) {
      if (name == "symbol") symbol = as<std::string_view>(part).value_or("");
      if (name == "baseAsset") base = as<std::string_view>(part).value_or("");
      if (name == "quoteAsset") quote = as<std::string_view>(part).value_or("");
      if (name == "contractType") type = as<std::string_view>(part).value_or("");
    });
    if (is_read && is_perpetual(type)) listed(base, quote, {std::string(symbol), std::string(symbol)});
  });
}

std::string BinanceUsdm::subscribe_message(Channel channel, std::span<const std::uint32_t> instruments,
                                           bool is_on) const {
  const std::string_view kind = channel == Channel::trades ? "@aggTrade" : "@bookTicker";
  return binance_request(quoted(instruments, [&](const std::string& name) { return binance_stream(name, kind); }),
                         is_on);
}

FrameResult BinanceUsdm::decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) {
  out.clear();
  TradeFields fields;
  QuoteFields quote;
  std::string_view event;
  BinanceAnswer answer;
  const bool is_json = each_field_of_binance_event(parser_, frame, answer, [&](std::string_view key, value& field) {
    if (key == "e") event = as<std::string_view>(field).value_or("");
    if (event == "bookTicker") return read_quote(key, field, quote);
    read_field(key, field, fields);
  });
  if (!is_json) return FrameResult::failed(DecodeError::malformed_json);
  if (answer.is_refusal) return answer.refusal();
  if (answer.is_answer) return {FrameKind::subscribed};
  if (event == "bookTicker") {
    // What an aggTrade left has its millisecond: so had all 68 quotes of the recording of 2021 that can be told, but 3.
    quote.stand_behind();
    return result_of(add_quote(quote, receive_time_ns, out.quotes), FrameKind::quotes);
  }
  if (event == "serverShutdown") return {FrameKind::reconnect};
  if (event != "aggTrade") return is_harmless(event) ? FrameResult{} : FrameResult::failed(DecodeError::unknown_frame);
  return result_of(add_trade(fields, receive_time_ns, out.trades), FrameKind::trades);
}

bool BinanceUsdm::says_unlisted(std::string_view body) { return binance_says_unlisted(parser_, body); }

std::string BinanceUsdm::history_target(const HistoryQuery& query) const {
  return "/fapi/v1/aggTrades?symbol=" + symbol(query.instrument).rest + from_id_of(query) + "&limit=1000";
}

DecodeError BinanceUsdm::read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                      std::vector<Trade>& out) {
  return read_trade_list(parser_, body, symbol(query.instrument).stream, read_field,
                         [&](const TradeFields& fields) { return add_trade(fields, receive_time_ns, out); });
}

std::string BinanceUsdm::candles_target(const CandleQuery& query) const {
  return binance_klines_target("/fapi/v1/klines", symbol(query.instrument).rest, query);
}

/// What a kline counts are single fills, which are not what we have.
DecodeError BinanceUsdm::read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                      std::vector<Candle>& out) {
  return read_binance_klines(parser_, body, false, query, receive_time_ns, out);
}

}  // namespace livetape::bridge
