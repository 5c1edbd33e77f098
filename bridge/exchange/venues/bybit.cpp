#include "exchange/venues/bybit.hpp"

#include <algorithm>
#include <iterator>

#include "exchange/candle_rows.hpp"
#include "exchange/json.hpp"
#include "exchange/rest_lists.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::value;

constexpr std::int64_t kMillisecondNs = 1'000'000;

constexpr std::string_view kTrades = "publicTrade.";
constexpr std::string_view kBook = "orderbook.1.";

/// At this depth each message is the whole book: both sides, of a level at most.
void read_book(value& book, QuoteFields& quote) {
  (void)each_field_of(book, [&](std::string_view key, value& field) {
    if (key == "s") quote.symbol = as<std::string_view>(field);
    if (key == "b") quote.has_list |= read_best(field, quote.bid_price, quote.bid_size);
    if (key == "a") quote.has_list |= read_best(field, quote.ask_price, quote.ask_size);
    if (key == "seq") quote.seq = as<std::int64_t>(field);
  });
}

constexpr std::int64_t kUnknownSymbol = 10'001;

/// Codes that are not of the question: too many visits, the service restarts, too many of an address, of all clients.
constexpr std::int64_t kOfAll[] = {10'006, 10'016, 10'018, 10'429};

/// What an answer says of itself.
struct Outcome {
  std::optional<std::int64_t> code;
  std::string message;
};

Outcome outcome_of(simdjson::ondemand::parser& parser, std::string_view body) {
  Outcome outcome;
  (void)each_field_of_frame(parser, body, [&](std::string_view key, value& field) {
    if (key == "retCode") outcome.code = as<std::int64_t>(field);
    if (key == "retMsg") outcome.message = as<std::string_view>(field).value_or("");
  });
  return outcome;
}

/// Calls `visit(list)` with the list of an answer. An error has another code than 0, and may have an empty list all the
/// same.
template <typename Visit>
DecodeError in_list(simdjson::ondemand::parser& parser, std::string_view body, Visit visit) {
  std::optional<std::int64_t> code;
  bool has_list = false;
  const bool is_json = each_field_of_frame(parser, body, [&](std::string_view key, value& field) {
    if (key == "retCode") code = as<std::int64_t>(field);
    if (key != "result") return;
    (void)each_field_of(field, [&](std::string_view name, value& list) {
      if (name != "list") return;
      has_list = visit(list);
    });
  });
  if (!is_json) return DecodeError::malformed_json;
  return code == 0 && has_list ? DecodeError::none : DecodeError::missing_field;
}

/// A trade of the history.
TradeFields read_old_trade(value& item) {
  TradeFields fields;
  (void)each_field_of(item, [&](std::string_view key, value& field) {
    const auto text = as<std::string_view>(field);
    if (key == "symbol") fields.symbol = text;
    if (key == "execId") fields.id = text;
    if (key == "price") fields.price = text;
    if (key == "size") fields.size = text;
    if (key == "side") fields.set_taker(text);
    if (key == "time") fields.set_milliseconds(text ? integer_of(*text) : std::nullopt);
  });
  return fields;
}

}  // namespace

DecodeError Bybit::each_instrument(std::string_view body, const Listed& listed) {
  return in_list(parser_, body, [&](value& list) {
    return each_item(list, [&](value& item) { read_listing({"symbol", "baseCoin", "quoteCoin"}, item, listed); });
  });
}

std::string Bybit::subscribe_message(Channel channel, std::span<const std::uint32_t> instruments, bool is_on) const {
  const std::string topic(channel == Channel::trades ? kTrades : kBook);
  return std::string(R"({"op":")") + (is_on ? "subscribe" : "unsubscribe") + R"(","args":[)" +
         quoted(instruments, [&](const std::string& name) { return topic + name; }) + "]}";
}

FrameResult Bybit::decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) {
  out.clear();
  Envelope envelope;
  const bool is_json = each_field_of_frame(parser_, frame, [&](std::string_view key, value& field) {
    if (key == "topic") envelope.topic = as<std::string_view>(field).value_or("");
    if (key == "op") envelope.operation = as<std::string_view>(field).value_or("");
    if (key == "ret_msg") envelope.message = as<std::string_view>(field).value_or("");
    if (key == "success") envelope.success = as<bool>(field);
    if (key == "cts") envelope.quote.set_milliseconds(as<std::int64_t>(field));
    if (key != "data") return;
    if (envelope.topic.starts_with(kBook)) {
      read_book(field, envelope.quote);
    } else {
      envelope.flaw = read_trades(field, receive_time_ns, out.trades);
    }
  });
  if (is_json && envelope.topic.starts_with(kBook)) {
    envelope.quote.stand_behind();  // `cts` is when the engine made it so, as `T` of a trade is
    return result_of(add_quote(envelope.quote, receive_time_ns, out.quotes), FrameKind::quotes);
  }
  if (!is_json || !envelope.topic.starts_with(kTrades)) out.clear();
  return is_json ? judge(envelope) : FrameResult::failed(DecodeError::malformed_json);
}

FrameResult Bybit::judge(const Envelope& envelope) {
  if (envelope.topic.starts_with(kTrades)) {
    return result_of(envelope.flaw, FrameKind::trades);
  }
  if (!envelope.topic.empty()) return {};
  if (envelope.operation.empty()) return FrameResult::failed(DecodeError::unknown_frame);
  if (envelope.success == false) return {FrameKind::refused, DecodeError::none, std::string(envelope.message)};
  return {envelope.operation == "subscribe" ? FrameKind::subscribed : FrameKind::ignored};
}

DecodeError Bybit::read_trades(value& list, std::int64_t receive_time_ns, std::vector<Trade>& out) const {
  DecodeError flaw = DecodeError::none;
  const bool is_list = each_item(list, [&](value& item) {
    TradeFields fields;
    (void)each_field_of(item, [&](std::string_view key, value& field) {
      if (key == "s") fields.symbol = as<std::string_view>(field);
      if (key == "i") fields.id = as<std::string_view>(field);
      if (key == "p") fields.price = as<std::string_view>(field);
      if (key == "v") fields.size = as<std::string_view>(field);
      if (key == "S") fields.set_taker(as<std::string_view>(field));
      if (key == "T") fields.set_milliseconds(as<std::int64_t>(field));
    });
    keep_first(flaw, add_trade(fields, receive_time_ns, out));
  });
  return is_list ? flaw : DecodeError::missing_field;
}

std::optional<Refusal> Bybit::refusal(std::string_view body) {
  const auto [code, message] = outcome_of(parser_, body);
  if (!code || code == 0) return std::nullopt;
  return Refusal{std::to_string(*code) + " " + message, std::ranges::find(kOfAll, *code) != std::end(kOfAll)};
}

bool Bybit::says_unlisted(std::string_view body) { return outcome_of(parser_, body).code == kUnknownSymbol; }

std::string Bybit::history_target(const HistoryQuery& query) const {
  return "/v5/market/recent-trade?category=spot&limit=60&symbol=" + symbol(query.instrument).rest;
}

DecodeError Bybit::read_history(std::string_view body, const HistoryQuery& /*query*/, std::int64_t receive_time_ns,
                                std::vector<Trade>& out) {
  DecodeError flaw = DecodeError::none;
  const DecodeError error = in_list(parser_, body, [&](value& list) {
    return each_item(list,
                     [&](value& item) { keep_first(flaw, add_trade(read_old_trade(item), receive_time_ns, out)); });
  });
  return error == DecodeError::none ? flaw : error;
}

std::string Bybit::candles_target(const CandleQuery& query) const {
  return "/v5/market/kline?category=spot&symbol=" + symbol(query.instrument).rest +
         "&interval=1&start=" + in_units(query.first_ns, kMillisecondNs) +
         "&end=" + in_units(query.last_ns, kMillisecondNs) + "&limit=" + std::to_string(CandleQuery::kMostMinutes);
}

DecodeError Bybit::read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                std::vector<Candle>& out) {
  constexpr CandleColumns kColumns{kMillisecondNs, 1, 2, 3, 4, 5};
  DecodeError flaw = DecodeError::none;
  const DecodeError error = in_list(parser_, body, [&](value& list) {
    flaw = add_candle_rows(list, kColumns, query, receive_time_ns, out);
    return true;
  });
  return error == DecodeError::none ? flaw : error;
}

}  // namespace livetape::bridge
