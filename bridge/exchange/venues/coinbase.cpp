#include "exchange/venues/coinbase.hpp"

#include <algorithm>
#include <functional>

#include "core/time.hpp"
#include "exchange/candle_rows.hpp"
#include "exchange/json.hpp"
#include "exchange/rest_lists.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::value;

/// What a match on the stream and a trade of the history say alike. `side` is the maker's.
void read_field(std::string_view key, value& field, TradeFields& fields) {
  if (key == "trade_id") fields.number = as<std::int64_t>(field);
  if (key == "price") fields.price = as<std::string_view>(field);
  if (key == "size") fields.size = as<std::string_view>(field);
  if (key == "side") fields.set_maker(as<std::string_view>(field));
  if (key == "time") fields.set_rfc3339(as<std::string_view>(field));
}

void read_quote(std::string_view key, value& field, QuoteFields& quote) {
  if (key == "sequence") quote.seq = as<std::int64_t>(field);
  if (key == "best_bid") quote.bid_price = as<std::string_view>(field);
  if (key == "best_bid_size") quote.bid_size = as<std::string_view>(field);
  if (key == "best_ask") quote.ask_price = as<std::string_view>(field);
  if (key == "best_ask_size") quote.ask_size = as<std::string_view>(field);
}

/// `last_match` comes once for each subscription and repeats a trade that may be days old.
bool is_harmless(std::string_view type) {
  constexpr std::string_view kOthers[] = {"heartbeat", "last_match", "snapshot", "l2update", "status"};
  return std::ranges::find(kOthers, type) != std::end(kOthers);
}

}  // namespace

DecodeError Coinbase::each_instrument(std::string_view body, const Listed& listed) {
  const bool is_list = each_item_of_answer(parser_, body, [&](value& item) {
    read_listing({"id", "base_currency", "quote_currency", "status", "delisted"}, item, listed);
  });
  return is_list ? DecodeError::none : DecodeError::malformed_json;
}

std::string Coinbase::subscribe_message(Channel channel, std::span<const std::uint32_t> instruments, bool is_on) const {
  return std::string(R"({"type":")") + (is_on ? "subscribe" : "unsubscribe") + R"(","product_ids":[)" +
         quoted(instruments, std::identity()) +
         (channel == Channel::trades ? R"(],"channels":["matches","heartbeat"]})" : R"(],"channels":["ticker"]})");
}

FrameResult Coinbase::decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) {
  out.clear();
  TradeFields fields;
  QuoteFields quote;
  std::string_view type, message, reason;
  const bool is_json = each_field_of_frame(parser_, frame, [&](std::string_view key, value& field) {
    if (key == "type") type = as<std::string_view>(field).value_or("");
    if (key == "message") message = as<std::string_view>(field).value_or("");
    if (key == "reason") reason = as<std::string_view>(field).value_or("");
    if (key == "product_id") fields.symbol = as<std::string_view>(field);
    read_quote(key, field, quote);
    read_field(key, field, fields);
  });
  if (!is_json) return FrameResult::failed(DecodeError::malformed_json);
  if (type == "subscriptions") return {FrameKind::subscribed};
  if (type == "error") {
    return {FrameKind::refused, DecodeError::none, std::string(message) + ": " + std::string(reason)};
  }
  if (type == "ticker") {
    quote.symbol = fields.symbol;
    static_cast<TimeFields&>(quote) = fields;
    quote.stand_behind();
    return result_of(add_quote(quote, receive_time_ns, out.quotes), FrameKind::quotes);
  }
  if (type != "match") return is_harmless(type) ? FrameResult{} : FrameResult::failed(DecodeError::unknown_frame);
  return result_of(add_trade(fields, receive_time_ns, out.trades), FrameKind::trades);
}

bool Coinbase::says_unlisted(std::string_view body) {
  std::string_view message;
  (void)each_field_of_frame(parser_, body, [&](std::string_view key, value& field) {
    if (key == "message") message = as<std::string_view>(field).value_or("");
  });
  return message == "NotFound" || message == "Not allowed for delisted products";
}

/// The newest trades before an id, or of all.
std::string Coinbase::history_target(const HistoryQuery& query) const {
  const std::string before = query.last_id ? "&after=" + std::to_string(*query.last_id + 1) : std::string();
  return "/products/" + symbol(query.instrument).rest + "/trades?limit=1000" + before;
}

DecodeError Coinbase::read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                   std::vector<Trade>& out) {
  return read_trade_list(parser_, body, symbol(query.instrument).stream, read_field,
                         [&](const TradeFields& fields) { return add_trade(fields, receive_time_ns, out); });
}

std::string Coinbase::candles_target(const CandleQuery& query) const {
  return "/products/" + symbol(query.instrument).rest + "/candles?granularity=60&start=" + as_rfc3339(query.first_ns) +
         "&end=" + as_rfc3339(query.last_ns);
}

/// Numbers, the low before the high; the newest first, and some may be older than what was asked for.
DecodeError Coinbase::read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                   std::vector<Candle>& out) {
  constexpr CandleColumns kColumns{1'000'000'000, 3, 2, 1, 4, 5};
  DecodeError flaw = DecodeError::none;
  const bool is_list = each_item_of_answer(
      parser_, body, [&](value& row) { keep_first(flaw, add_candle_row(row, kColumns, query, receive_time_ns, out)); });
  return is_list ? flaw : DecodeError::malformed_json;
}

}  // namespace livetape::bridge
