#include "exchange/venues/binance.hpp"

#include <algorithm>

#include "exchange/candle_rows.hpp"
#include "exchange/json.hpp"
#include "exchange/rest_lists.hpp"
#include "exchange/venues/binance_api.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::value;

/// A field of a trade of the history.
void read_old_field(std::string_view key, value& field, TradeFields& fields) {
  if (key == "id") fields.number = as<std::int64_t>(field);
  if (key == "price") fields.price = as<std::string_view>(field);
  if (key == "qty") fields.size = as<std::string_view>(field);
  if (key == "isBuyerMaker") fields.set_buyer_is_maker(as<bool>(field));
  if (key == "time") fields.set_milliseconds(as<std::int64_t>(field));
}

bool is_harmless(std::string_view event) {
  constexpr std::string_view kOthers[] = {"depthUpdate", "bookTicker", "aggTrade",
                                          "kline",       "24hrTicker", "24hrMiniTicker"};
  return std::ranges::find(kOthers, event) != std::end(kOthers);
}

}  // namespace

std::string Binance::instruments_target() const { return "/api/v3/exchangeInfo?showPermissionSets=false"; }

DecodeError Binance::each_instrument(std::string_view body, const Listed& listed) {
  return each_item_under("symbols", parser_, body, [&](value& item) {
    read_listing({"symbol", "baseAsset", "quoteAsset"}, item, listed);
  });
}

std::string Binance::subscribe_message(Channel channel, std::span<const std::uint32_t> instruments, bool is_on) const {
  const std::string_view kind = channel == Channel::trades ? "@trade" : "@bookTicker";
  return binance_request(quoted(instruments, [&](const std::string& name) { return binance_stream(name, kind); }),
                         is_on);
}

bool Binance::says_unlisted(std::string_view body) { return binance_says_unlisted(parser_, body); }

std::string Binance::history_target(const HistoryQuery& query) const {
  return "/api/v3/historicalTrades?symbol=" + symbol(query.instrument).rest + from_id_of(query) + "&limit=1000";
}

DecodeError Binance::read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                  std::vector<Trade>& out) {
  return read_trade_list(parser_, body, symbol(query.instrument).stream, read_old_field,
                         [&](const TradeFields& fields) { return add_trade(fields, receive_time_ns, out); });
}

FrameResult Binance::decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) {
  out.clear();
  Fields fields;
  BinanceAnswer answer;
  const bool is_json = each_field_of_binance_event(
      parser_, frame, answer, [&](std::string_view key, value& field) { read_field(key, field, fields); });
  if (!is_json) return FrameResult::failed(DecodeError::malformed_json);
  if (answer.is_refusal) return answer.refusal();
  if (answer.is_answer) return {FrameKind::subscribed};
  // bookTicker is the one stream whose frames have no event type; it has an update id instead.
  if (fields.event.empty() && fields.quote.seq) {
    fields.quote.symbol = fields.symbol;
    return result_of(add_quote(fields.quote, receive_time_ns, out.quotes), FrameKind::quotes);
  }
  if (fields.event == "serverShutdown") return {FrameKind::reconnect};
  if (fields.event != "trade") {
    return is_harmless(fields.event) ? FrameResult{} : FrameResult::failed(DecodeError::unknown_frame);
  }
  return result_of(add_trade(fields, receive_time_ns, out.trades), FrameKind::trades);
}

void Binance::read_field(std::string_view key, value& field, Fields& fields) {
  if (key.size() != 1) return;
  switch (key[0]) {
    case 'e':
      fields.event = as<std::string_view>(field).value_or("");
      break;
    case 's':
      fields.symbol = as<std::string_view>(field);
      break;
    case 't':
      fields.number = as<std::int64_t>(field);
      break;
    case 'p':
      fields.price = as<std::string_view>(field);
      break;
    case 'q':
      fields.size = as<std::string_view>(field);
      break;
    case 'T':
      fields.set_milliseconds_or_microseconds(as<std::int64_t>(field));
      break;
    case 'm':
      fields.set_buyer_is_maker(as<bool>(field));
      break;
    case 'u':
      fields.quote.seq = as<std::int64_t>(field);
      break;
    case 'b':
      fields.quote.bid_price = as<std::string_view>(field);
      break;
    case 'B':
      fields.quote.bid_size = as<std::string_view>(field);
      break;
    case 'a':
      fields.quote.ask_price = as<std::string_view>(field);
      break;
    case 'A':
      fields.quote.ask_size = as<std::string_view>(field);
      break;
    default:
      break;
  }
}

std::string Binance::candles_target(const CandleQuery& query) const {
  return binance_klines_target("/api/v3/klines", symbol(query.instrument).rest, query);
}

DecodeError Binance::read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                  std::vector<Candle>& out) {
  return read_binance_klines(parser_, body, true, query, receive_time_ns, out);
}

}  // namespace livetape::bridge
