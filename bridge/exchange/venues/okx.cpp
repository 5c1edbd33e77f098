#include "exchange/venues/okx.hpp"

#include <algorithm>
#include <iterator>

#include "exchange/candle_rows.hpp"
#include "exchange/json.hpp"
#include "exchange/rest_lists.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::value;

constexpr std::int64_t kMillisecondNs = 1'000'000;

constexpr std::string_view kTrades = "trades-all";
constexpr std::string_view kQuotes = "bbo-tbt";
constexpr std::string_view kUnknownInstrument = "51001";

/// Codes that are not of the question: the service is away, too many requests, its systems are busy.
constexpr std::string_view kOfAll[] = {"50001", "50011", "50013"};

/// What an answer says of itself.
struct Outcome {
  std::string code;
  std::string message;
};

Outcome outcome_of(simdjson::ondemand::parser& parser, std::string_view body) {
  Outcome outcome;
  (void)each_field_of_frame(parser, body, [&](std::string_view key, value& field) {
    if (key == "code") outcome.code = as<std::string_view>(field).value_or("");
    if (key == "msg") outcome.message = as<std::string_view>(field).value_or("");
  });
  return outcome;
}

/// Reads the `data` of an answer by `read(field)`, which gives its flaw. An error has another code than 0, and may have
/// an empty `data` all the same.
template <typename Read>
DecodeError read_data(simdjson::ondemand::parser& parser, std::string_view body, Read read) {
  DecodeError flaw = DecodeError::missing_field;
  std::string_view code;
  const bool is_json = each_field_of_frame(parser, body, [&](std::string_view key, value& field) {
    if (key == "code") code = as<std::string_view>(field).value_or("");
    if (key == "data") flaw = read(field);
  });
  if (!is_json) return DecodeError::malformed_json;
  return code == "0" ? flaw : DecodeError::missing_field;
}

std::optional<std::int64_t> integer(value& field) {
  const auto text = as<std::string_view>(field);
  return text ? integer_of(*text) : std::nullopt;
}

}  // namespace

DecodeError Okx::each_instrument(std::string_view body, const Listed& listed) {
  const auto read = [&](value& item) { read_listing({"instId", "baseCcy", "quoteCcy"}, item, listed); };
  return read_data(parser_, body,
                   [&](value& list) { return each_item(list, read) ? DecodeError::none : DecodeError::missing_field; });
}

std::string Okx::subscribe_message(Channel channel, std::span<const std::uint32_t> instruments, bool is_on) const {
  std::string arguments;
  for (const std::uint32_t instrument : instruments) {
    arguments += std::string(arguments.empty() ? "" : ",") + R"({"channel":")" +
                 std::string(channel == Channel::trades ? kTrades : kQuotes) + R"(","instId":")" +
                 symbol(instrument).stream + "\"}";
  }
  return std::string(R"({"op":")") + (is_on ? "subscribe" : "unsubscribe") + R"(","args":[)" + arguments + "]}";
}

FrameResult Okx::decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) {
  out.clear();
  if (frame == "pong") return {};
  Envelope envelope;
  const bool is_json = each_field_of_frame(parser_, frame, [&](std::string_view key, value& field) {
    read_envelope(key, field, receive_time_ns, out, envelope);
  });
  const bool has_trades = envelope.channel == kTrades || envelope.channel == "trades";
  const bool has_quotes = envelope.channel == kQuotes;
  if (!is_json || (!has_trades && !has_quotes)) out.clear();
  if (!is_json) return FrameResult::failed(DecodeError::malformed_json);
  if (envelope.event == "subscribe") return {FrameKind::subscribed};
  if (envelope.event == "error") return {FrameKind::refused, DecodeError::none, std::string(envelope.message)};
  if (envelope.event == "notice") return {FrameKind::reconnect};
  if (!envelope.event.empty()) return {};
  if (!envelope.has_data) return FrameResult::failed(DecodeError::unknown_frame);
  if (!has_trades && !has_quotes) return {};
  return result_of(envelope.flaw, has_trades ? FrameKind::trades : FrameKind::quotes);
}

void Okx::read_envelope(std::string_view key, value& field, std::int64_t receive_time_ns, Decoded& out,
                        Envelope& envelope) const {
  if (key == "event") envelope.event = as<std::string_view>(field).value_or("");
  if (key == "msg") envelope.message = as<std::string_view>(field).value_or("");
  if (key == "arg") {
    (void)each_field_of(field, [&](std::string_view name, value& part) {
      if (name == "channel") envelope.channel = as<std::string_view>(part).value_or("");
      if (name == "instId") envelope.instrument = as<std::string_view>(part).value_or("");
    });
  }
  if (key != "data") return;
  envelope.has_data = true;
  envelope.flaw = envelope.channel == kQuotes ? read_quotes(field, envelope.instrument, receive_time_ns, out.quotes)
                                              : read_trades(field, receive_time_ns, out.trades);
}

/// Quotes do not name their instrument: what stands before them does.
DecodeError Okx::read_quotes(value& list, std::string_view instrument, std::int64_t receive_time_ns,
                             std::vector<Quote>& out) const {
  DecodeError flaw = DecodeError::none;
  const bool is_list = each_item(list, [&](value& item) {
    QuoteFields fields;
    fields.symbol = instrument;
    (void)each_field_of(item, [&](std::string_view key, value& field) {
      if (key == "bids") fields.has_list |= read_best(field, fields.bid_price, fields.bid_size);
      if (key == "asks") fields.has_list |= read_best(field, fields.ask_price, fields.ask_size);
      if (key == "seqId") fields.seq = as<std::int64_t>(field);
      if (key == "ts") fields.set_milliseconds(integer(field));
    });
    fields.stand_behind();
    keep_first(flaw, add_quote(fields, receive_time_ns, out));
  });
  return is_list ? flaw : DecodeError::missing_field;
}

DecodeError Okx::read_trades(value& list, std::int64_t receive_time_ns, std::vector<Trade>& out) const {
  DecodeError flaw = DecodeError::none;
  const bool is_list = each_item(list, [&](value& item) {
    TradeFields fields;
    (void)each_field_of(item, [&](std::string_view key, value& field) {
      if (key == "instId") fields.symbol = as<std::string_view>(field);
      if (key == "tradeId") fields.number = integer(field);
      if (key == "count") fields.count = integer(field).value_or(0);
      if (key == "px") fields.price = as<std::string_view>(field);
      if (key == "sz") fields.size = as<std::string_view>(field);
      if (key == "side") fields.set_taker(as<std::string_view>(field));
      if (key == "ts") fields.set_milliseconds(integer(field));
    });
    keep_first(flaw, add_trade(fields, receive_time_ns, out));
  });
  return is_list ? flaw : DecodeError::missing_field;
}

std::optional<Refusal> Okx::refusal(std::string_view body) {
  const auto [code, message] = outcome_of(parser_, body);
  if (code.empty() || code == "0") return std::nullopt;
  return Refusal{code + " " + message, std::ranges::find(kOfAll, code) != std::end(kOfAll)};
}

bool Okx::says_unlisted(std::string_view body) { return outcome_of(parser_, body).code == kUnknownInstrument; }

/// The newest trades before an id, or of all.
std::string Okx::history_target(const HistoryQuery& query) const {
  const std::string before = query.last_id ? "&after=" + std::to_string(*query.last_id + 1) : std::string();
  return "/api/v5/market/history-trades?instId=" + symbol(query.instrument).rest + "&type=1&limit=100" + before;
}

DecodeError Okx::read_history(std::string_view body, const HistoryQuery& /*query*/, std::int64_t receive_time_ns,
                              std::vector<Trade>& out) {
  return read_data(parser_, body, [&](value& list) { return read_trades(list, receive_time_ns, out); });
}

/// Those between two times, neither included, newest first.
std::string Okx::candles_target(const CandleQuery& query) const {
  return "/api/v5/market/candles?instId=" + symbol(query.instrument).rest +
         "&bar=1m&before=" + in_units(query.first_ns - 1, kMillisecondNs) +
         "&after=" + in_units(query.last_ns + kMinuteNs, kMillisecondNs) +
         "&limit=" + std::to_string(CandleQuery::kMostMinutes);
}

DecodeError Okx::read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                              std::vector<Candle>& out) {
  constexpr CandleColumns kColumns{kMillisecondNs, 1, 2, 3, 4, 5, std::nullopt, 8};
  return read_data(parser_, body,
                   [&](value& rows) { return add_candle_rows(rows, kColumns, query, receive_time_ns, out); });
}

}  // namespace livetape::bridge
