#include "exchange/binance.hpp"

#include <algorithm>
#include <cctype>

#include "exchange/json.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::object;
using simdjson::ondemand::value;

std::string lower(std::string_view symbol) {
  std::string text;
  for (const char c : symbol) text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// What an error says.
std::string_view message_of(value& error) {
  object fields;
  std::string_view message;
  if (error.get_object().get(fields) != simdjson::SUCCESS) return message;
  (void)each_field(fields, [&](std::string_view key, value& field) {
    if (key == "msg") message = as<std::string_view>(field).value_or("");
  });
  return message;
}

/// The side that was not the maker.
std::optional<Aggressor> aggressor_of(std::optional<bool> buyer_is_maker) {
  if (!buyer_is_maker) return std::nullopt;
  return *buyer_is_maker ? Aggressor::sell : Aggressor::buy;
}

bool is_harmless(std::string_view event) {
  constexpr std::string_view kOthers[] = {"depthUpdate", "bookTicker", "aggTrade",
                                          "kline",       "24hrTicker", "24hrMiniTicker"};
  return std::ranges::find(kOthers, event) != std::end(kOthers);
}

}  // namespace

std::string Binance::instruments_target() const { return "/api/v3/exchangeInfo?showPermissionSets=false"; }

DecodeError Binance::each_instrument(std::string_view body, const Listed& listed) {
  bool has_list = false;
  const bool is_json = each_field_of_frame(parser_, body, [&](std::string_view key, value& field) {
    if (key != "symbols") return;
    has_list = each_item(field, [&](value& item) {
      std::string_view symbol, base, quote;
      const bool is_read = each_field_of(item, [&](std::string_view name, value& part) {
        if (name == "symbol") symbol = as<std::string_view>(part).value_or("");
        if (name == "baseAsset") base = as<std::string_view>(part).value_or("");
        if (name == "quoteAsset") quote = as<std::string_view>(part).value_or("");
      });
      if (is_read) listed(base, quote, {std::string(symbol), std::string(symbol)});
    });
  });
  if (!is_json) return DecodeError::malformed_json;
  return has_list ? DecodeError::none : DecodeError::missing_field;
}

std::string Binance::subscribe_message(Channel channel, std::span<const std::uint32_t> instruments, bool is_on) const {
  std::string params;
  for (const std::uint32_t instrument : instruments) {
    params += (params.empty() ? "\"" : ",\"") + lower(symbol(instrument).stream) +
              (channel == Channel::trades ? "@trade\"" : "@bookTicker\"");
  }
  return std::string(R"({"method":")") + (is_on ? "SUBSCRIBE" : "UNSUBSCRIBE") + R"(","params":[)" + params +
         R"(],"id":1})";
}

std::string Binance::history_target(const HistoryQuery& query) const {
  return "/api/v3/historicalTrades?symbol=" + symbol(query.instrument).rest +
         "&fromId=" + std::to_string(query.first_id) + "&limit=1000";
}

DecodeError Binance::read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                  std::vector<Trade>& out) {
  DecodeError flaw = DecodeError::none;
  const bool is_json = each_item_of_answer(parser_, body, [&](value& item) {
    TradeFields fields;
    fields.symbol = symbol(query.instrument).stream;
    (void)each_field_of(item, [&](std::string_view key, value& field) {
      if (key == "id") fields.number = as<std::int64_t>(field);
      if (key == "price") fields.price = as<std::string_view>(field);
      if (key == "qty") fields.size = as<std::string_view>(field);
      if (key == "isBuyerMaker") fields.aggressor = aggressor_of(as<bool>(field));
      if (key == "time") fields.set_milliseconds(as<std::int64_t>(field));
    });
    if (const DecodeError error = add_trade(fields, receive_time_ns, out); flaw == DecodeError::none) flaw = error;
  });
  return is_json ? flaw : DecodeError::malformed_json;
}

FrameResult Binance::decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) {
  out.clear();
  Fields fields;
  const bool is_json = each_field_of_frame(parser_, frame, [&](std::string_view key, value& field) {
    if (key == "data") {
      fields.has_data = true;
      read_data(field, fields);
    } else if (key == "error") {
      fields.has_error = true;
      fields.error = message_of(field);
    } else {
      read_field(key, field, fields);
    }
  });
  if (!is_json) return FrameResult::failed(DecodeError::malformed_json);
  if (fields.has_error) return {FrameKind::refused, DecodeError::none, std::string(fields.error)};
  if (!fields.has_data && fields.has_request_id) return {FrameKind::subscribed};
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

void Binance::read_data(value& data, Fields& fields) {
  object inner;
  if (data.get_object().get(inner) != simdjson::SUCCESS) return;  // its fields are missing, then
  // What is broken inside is found to be so outside as well.
  (void)each_field(inner, [&](std::string_view key, value& field) { read_field(key, field, fields); });
}

void Binance::read_field(std::string_view key, value& field, Fields& fields) {
  if (key == "id") fields.has_request_id = true;
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
      fields.set_milliseconds(as<std::int64_t>(field));
      break;
    case 'm':
      fields.aggressor = aggressor_of(as<bool>(field));
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

}  // namespace livetape::bridge
