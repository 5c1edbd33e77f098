#include "exchange/venues/bitstamp.hpp"

#include "exchange/candle_rows.hpp"
#include "exchange/json.hpp"
#include "exchange/rest_lists.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::value;

constexpr std::string_view kTrades = "live_trades_";
constexpr std::string_view kBook = "order_book_";
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kClocksApartNs = 5 * kSecondNs;  // what our clock and the venue's may differ by

/// A stretch of time that the history can be asked for.
struct Window {
  std::string_view name;
  std::int64_t length_ns;
};
constexpr Window kWindows[] = {{"minute", 60 * kSecondNs}, {"hour", 3'600 * kSecondNs}, {"day", 86'400 * kSecondNs}};

/// The shortest one that goes back to the last trade that is there.
const Window& window_of(const HistoryQuery& query) {
  for (const Window& window : kWindows) {
    if (query.now_ns - window.length_ns + kClocksApartNs <= query.from_time_ns) return window;
  }
  return kWindows[2];
}

void set_side(std::optional<std::string_view> type, TradeFields& fields) {
  if (type) fields.aggressor = type == "0" ? Aggressor::buy : type == "1" ? Aggressor::sell : Aggressor::unknown;
}

/// A field of a trade of the history.
void read_old_field(std::string_view name, value& field, TradeFields& fields) {
  const auto text = as<std::string_view>(field);
  if (name == "price") fields.price = text;
  if (name == "amount") fields.size = text;
  if (name == "type") set_side(text, fields);
  if (name == "tid") fields.number = text ? integer_of(*text) : std::nullopt;
  if (name == "date") fields.set_units(text ? integer_of(*text) : std::nullopt, kSecondNs);
}

/// A candle of the REST API, every field a text.
CandleFields read_candle(value& item) {
  CandleFields fields;
  (void)each_field_of(item, [&](std::string_view name, value& field) {
    const auto text = as<std::string_view>(field);
    if (name == "timestamp") fields.start_ns = as_ns(text, kSecondNs);
    if (name == "open") fields.open = text;
    if (name == "high") fields.high = text;
    if (name == "low") fields.low = text;
    if (name == "close") fields.close = text;
    if (name == "volume") fields.volume = text;
  });
  return fields;
}

/// What a frame's event is about.
struct Data {
  TradeFields trade;
  QuoteFields quote;
  std::string_view message;
};

void read_data(value& data, Data& out) {
  (void)each_field_of(data, [&](std::string_view name, value& part) {
    if (name == "id") out.trade.number = as<std::int64_t>(part);
    if (name == "price_str") out.trade.price = as<std::string_view>(part);
    if (name == "amount_str") out.trade.size = as<std::string_view>(part);
    if (name == "type") set_side(token_of(part), out.trade);
    if (name == "bids") out.quote.has_list |= read_best(part, out.quote.bid_price, out.quote.bid_size);
    if (name == "asks") out.quote.has_list |= read_best(part, out.quote.ask_price, out.quote.ask_size);
    if (name == "message") out.message = as<std::string_view>(part).value_or("");
    if (name != "microtimestamp") return;
    const auto text = as<std::string_view>(part);
    const auto microseconds = text ? integer_of(*text) : std::nullopt;
    out.trade.set_units(microseconds, 1'000);
    out.quote.set_units(microseconds, 1'000);
  });
}

/// What an event that has neither a trade nor a quote is.
FrameResult other_event(std::string_view event, std::string_view message) {
  if (event == "bts:subscription_succeeded") return {FrameKind::subscribed};
  if (event == "bts:error") return {FrameKind::refused, DecodeError::none, std::string(message)};
  if (event == "bts:request_reconnect") return {FrameKind::reconnect};
  return event.empty() ? FrameResult::failed(DecodeError::unknown_frame) : FrameResult{};
}

}  // namespace

DecodeError Bitstamp::each_instrument(std::string_view body, const Listed& listed) {
  const bool is_list = each_item_of_answer(parser_, body, [&](value& item) {
    std::string_view symbol, names;
    const bool is_read = each_field_of(item, [&](std::string_view name, value& part) {
      if (name == "url_symbol") symbol = as<std::string_view>(part).value_or("");
      if (name == "name") names = as<std::string_view>(part).value_or("");
    });
    const auto slash = names.find('/');
    if (!is_read || slash == std::string_view::npos) return;
    listed(names.substr(0, slash), names.substr(slash + 1), {std::string(symbol), std::string(symbol)});
  });
  return is_list ? DecodeError::none : DecodeError::malformed_json;
}

std::string Bitstamp::subscribe_message(Channel channel, std::span<const std::uint32_t> instruments, bool is_on) const {
  return std::string(R"({"event":"bts:)") + (is_on ? "subscribe" : "unsubscribe") + R"(","data":{"channel":")" +
         std::string(channel == Channel::trades ? kTrades : kBook) + symbol(instruments.front()).stream + "\"}}";
}

FrameResult Bitstamp::decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) {
  out.clear();
  Data data;
  std::string_view event, channel;
  const bool is_json = each_field_of_frame(parser_, frame, [&](std::string_view key, value& field) {
    if (key == "event") event = as<std::string_view>(field).value_or("");
    if (key == "channel") channel = as<std::string_view>(field).value_or("");
    if (key == "data") read_data(field, data);
  });
  if (!is_json) return FrameResult::failed(DecodeError::malformed_json);
  if (event == "data" && channel.starts_with(kBook)) {
    data.quote.symbol = channel.substr(kBook.size());
    data.quote.stand_behind();
    return result_of(add_quote(data.quote, receive_time_ns, out.quotes), FrameKind::quotes);
  }
  if (event == "trade" && channel.starts_with(kTrades)) {
    data.trade.symbol = channel.substr(kTrades.size());
    return result_of(add_trade(data.trade, receive_time_ns, out.trades), FrameKind::trades);
  }
  return other_event(event, data.message);
}

std::string Bitstamp::history_target(const HistoryQuery& query) const {
  return "/api/v2/transactions/" + symbol(query.instrument).rest + "/?time=" + std::string(window_of(query).name);
}

DecodeError Bitstamp::read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                   std::vector<Trade>& out) {
  return read_trade_list(parser_, body, symbol(query.instrument).stream, read_old_field,
                         [&](const TradeFields& fields) { return add_trade(fields, receive_time_ns, out); });
}

std::int64_t Bitstamp::complete_since_ns(const HistoryQuery& query, std::span<const Trade> /*page*/) const {
  return query.now_ns - window_of(query).length_ns + kClocksApartNs;
}

std::string Bitstamp::candles_target(const CandleQuery& query) const {
  return "/api/v2/ohlc/" + symbol(query.instrument).rest +
         "/?step=60&limit=" + std::to_string(CandleQuery::kMostMinutes) +
         "&start=" + in_units(query.first_ns, kSecondNs);
}

DecodeError Bitstamp::read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                   std::vector<Candle>& out) {
  DecodeError flaw = DecodeError::missing_field;
  const bool is_json = each_field_of_frame(parser_, body, [&](std::string_view key, value& field) {
    if (key != "data") return;
    (void)each_field_of(field, [&](std::string_view name, value& list) {
      if (name != "ohlc") return;
      flaw = DecodeError::none;
      (void)each_item(
          list, [&](value& item) { keep_first(flaw, add_candle(read_candle(item), query, receive_time_ns, out)); });
    });
  });
  return is_json ? flaw : DecodeError::malformed_json;
}

}  // namespace livetape::bridge
