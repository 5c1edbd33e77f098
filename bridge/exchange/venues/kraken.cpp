#include "exchange/venues/kraken.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "exchange/candle_rows.hpp"
#include "exchange/json.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::value;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kStreamResolutionNs = 1'000;

/// Kraken's REST API has names of its own for two assets.
std::string_view asset(std::string_view name) {
  if (name == "XBT") return "BTC";
  if (name == "XDG") return "DOGE";
  return name;
}

/// Seconds with decimals as nanoseconds, by their digits.
std::optional<std::int64_t> seconds_as_ns(std::string_view digits) {
  constexpr Int128 kUnscaledPerNs = 1'000'000'000;  // decimals are counts of 10^-18
  const ParsedDecimal seconds = parse_decimal(digits);
  if (seconds.error != DecimalError::none) return std::nullopt;
  const Int128 ns = seconds.unscaled / kUnscaledPerNs;
  if (ns < 0 || ns > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return static_cast<std::int64_t>(ns);
}

/// The first error that an answer tells; a warning begins with W.
std::optional<std::string> error_of(simdjson::ondemand::parser& parser, std::string_view body) {
  std::optional<std::string> error;
  (void)each_field_of_frame(parser, body, [&](std::string_view key, value& field) {
    if (key != "error") return;
    (void)each_item(field, [&](value& text) {
      const auto told = as<std::string_view>(text).value_or("");
      if (!error && told.starts_with('E')) error = told;
    });
  });
  return error;
}

/// Whether an error is of the service, or of too many questions, and not of the one that was asked.
bool is_of_all(std::string_view error) {
  constexpr std::string_view kStarts[] = {"EService:", "EGeneral:Too many requests", "EGeneral:Temporary lockout",
                                          "EAPI:Rate limit exceeded"};
  return std::ranges::any_of(kStarts, [&](std::string_view start) { return error.starts_with(start); });
}

/// Reads the `result` of an answer by `read(field)`, which gives its flaw. An answer that tells an error is none,
/// whatever result it has; a warning begins with W.
template <typename Read>
DecodeError read_result(simdjson::ondemand::parser& parser, std::string_view body, Read read) {
  DecodeError flaw = DecodeError::missing_field;
  bool has_error = false;
  const bool is_json = each_field_of_frame(parser, body, [&](std::string_view key, value& field) {
    if (key == "result") flaw = read(field);
    if (key != "error") return;
    (void)each_item(
        field, [&](value& text) { has_error = has_error || as<std::string_view>(text).value_or("").starts_with('E'); });
  });
  if (!is_json) return DecodeError::malformed_json;
  return has_error ? DecodeError::missing_field : flaw;
}

}  // namespace

DecodeError Kraken::each_instrument(std::string_view body, const Listed& listed) {
  return read_result(parser_, body, [&](value& pairs) {
    const bool is_list = each_field_of(pairs, [&](std::string_view, value& pair) {
      std::string_view rest, names;
      const bool is_read = each_field_of(pair, [&](std::string_view name, value& part) {
        if (name == "altname") rest = as<std::string_view>(part).value_or("");
        if (name == "wsname") names = as<std::string_view>(part).value_or("");
      });
      const auto slash = names.find('/');
      if (!is_read || slash == std::string_view::npos) return;
      const std::string_view base = asset(names.substr(0, slash)), quote = asset(names.substr(slash + 1));
      listed(base, quote, {std::string(base) + "/" + std::string(quote), std::string(rest)});
    });
    return is_list ? DecodeError::none : DecodeError::missing_field;
  });
}

std::string Kraken::subscribe_message(Channel channel, std::span<const std::uint32_t> instruments, bool is_on) const {
  const bool has_trades = channel == Channel::trades;
  const std::string_view how = has_trades ? R"(,"snapshot":false)" : R"(,"event_trigger":"bbo")";
  return std::string(R"({"method":")") + (is_on ? "subscribe" : "unsubscribe") + R"(","params":{"channel":")" +
         (has_trades ? "trade" : "ticker") + R"(","symbol":[)" + quoted(instruments, std::identity()) + "]" +
         std::string(is_on || !has_trades ? how : "") + "}}";
}

std::optional<Refusal> Kraken::refusal(std::string_view body) {
  std::optional<std::string> error = error_of(parser_, body);
  if (!error) return std::nullopt;
  const bool of_all = is_of_all(*error);
  return Refusal{std::move(*error), of_all};
}

bool Kraken::says_unlisted(std::string_view body) { return error_of(parser_, body) == "EQuery:Unknown asset pair"; }

/// The history begins behind a time, not at an id; several trades may be of the same time, which the stream tells less
/// exactly.
std::string Kraken::history_target(const HistoryQuery& query) const {
  return "/0/public/Trades?pair=" + symbol(query.instrument).rest +
         "&since=" + std::to_string(query.from_time_ns - kStreamResolutionNs) + "&count=1000";
}

DecodeError Kraken::read_history(std::string_view body, const HistoryQuery& query, std::int64_t receive_time_ns,
                                 std::vector<Trade>& out) {
  return read_result(parser_, body, [&](value& result) {
    bool has_list = false;
    DecodeError flaw = DecodeError::none;
    (void)each_field_of(result, [&](std::string_view pair, value& rows) {
      if (pair == "last") return;
      has_list = each_item(rows, [&](value& row) { keep_first(flaw, read_row(row, query, receive_time_ns, out)); });
    });
    return has_list ? flaw : DecodeError::missing_field;
  });
}

/// A trade as [price, size, seconds, side, kind, what else, id].
DecodeError Kraken::read_row(value& row, const HistoryQuery& query, std::int64_t receive_time_ns,
                             std::vector<Trade>& out) const {
  TradeFields fields;
  fields.symbol = symbol(query.instrument).stream;
  int column = 0;
  const bool is_row = each_item(row, [&](value& cell) {
    switch (column++) {
      case 0:
        fields.price = as<std::string_view>(cell);
        break;
      case 1:
        fields.size = as<std::string_view>(cell);
        break;
      case 2:
        fields.set_ns(seconds_as_ns(token_of(cell)));
        break;
      case 3:
        fields.set_taker(as<std::string_view>(cell) == "b" ? "buy" : "sell");
        break;
      case 6:
        fields.number = as<std::int64_t>(cell);
        break;
      default:
        break;
    }
  });
  return is_row ? add_trade(fields, receive_time_ns, out) : DecodeError::missing_field;
}

FrameResult Kraken::decode(std::string_view frame, std::int64_t receive_time_ns, Decoded& out) {
  out.clear();
  Envelope envelope;
  const bool is_json = each_field_of_frame(parser_, frame, [&](std::string_view key, value& field) {
    if (key == "channel") envelope.channel = as<std::string_view>(field);
    if (key == "type") envelope.type = as<std::string_view>(field);
    if (key == "method") envelope.method = as<std::string_view>(field);
    if (key == "success") envelope.success = as<bool>(field);
    if (key == "error") envelope.error = as<std::string_view>(field).value_or("");
    if (key == "data") envelope.flaw = decode_data(field, envelope.channel == "ticker", receive_time_ns, out);
  });
  FrameResult result = is_json ? judge(envelope) : FrameResult::failed(DecodeError::malformed_json);
  const bool is_new = envelope.channel == "ticker" || (envelope.channel == "trade" && envelope.type == "update");
  if (!is_json || !is_new) out.clear();
  return result;
}

/// A channel's message, or the answer to a request: `method` where Kraken could make it out, `success`, and `error`.
FrameResult Kraken::judge(const Envelope& envelope) {
  const auto failed = [](DecodeError error) { return FrameResult::failed(error); };
  if (!envelope.channel) {
    if (envelope.method == "pong") return {};
    if (envelope.success == false) return {FrameKind::refused, DecodeError::none, std::string(envelope.error)};
    if (envelope.method == "unsubscribe") return {};
    if (envelope.method != "subscribe") return failed(DecodeError::unknown_frame);
    return envelope.success ? FrameResult{FrameKind::subscribed} : failed(DecodeError::missing_field);
  }
  if (envelope.channel == "heartbeat" || envelope.channel == "status") return {};
  if (envelope.channel == "ticker")
    return result_of(envelope.flaw.value_or(DecodeError::missing_field), FrameKind::quotes);
  if (envelope.channel != "trade") return failed(DecodeError::unknown_frame);
  if (envelope.type == "snapshot")
    return {};  // trades from before the subscription, which was asked to do without them
  if (envelope.type != "update" || !envelope.flaw) return failed(DecodeError::missing_field);
  return result_of(*envelope.flaw, FrameKind::trades);
}

/// Takes the trades that are good, and tells the first flaw of the others; nothing when it is no list.
std::optional<DecodeError> Kraken::decode_data(value& data, bool has_quotes, std::int64_t receive_time_ns,
                                               Decoded& out) const {
  DecodeError first_flaw = DecodeError::none;
  const bool is_list = each_item(data, [&](value& item) {
    keep_first(first_flaw, has_quotes ? decode_quote(item, receive_time_ns, out.quotes)
                                      : decode_trade(item, receive_time_ns, out.trades));
  });
  return is_list ? std::optional(first_flaw) : std::nullopt;
}

DecodeError Kraken::decode_quote(value& item, std::int64_t receive_time_ns, std::vector<Quote>& out) const {
  QuoteFields fields;
  const bool is_read = each_field_of(item, [&](std::string_view key, value& field) {
    if (key == "symbol") fields.symbol = as<std::string_view>(field);
    if (key == "bid") fields.bid_price = token_of(field);
    if (key == "bid_qty") fields.bid_size = token_of(field);
    if (key == "ask") fields.ask_price = token_of(field);
    if (key == "ask_qty") fields.ask_size = token_of(field);
    if (key == "timestamp") fields.set_rfc3339(as<std::string_view>(field));
  });
  return is_read ? add_quote(fields, receive_time_ns, out) : DecodeError::missing_field;
}

DecodeError Kraken::decode_trade(value& item, std::int64_t receive_time_ns, std::vector<Trade>& out) const {
  TradeFields fields;
  const bool is_read = each_field_of(item, [&](std::string_view key, value& field) {
    if (key == "symbol") fields.symbol = as<std::string_view>(field);
    if (key == "side") fields.set_taker(as<std::string_view>(field));
    if (key == "price") fields.price = token_of(field);
    if (key == "qty") fields.size = token_of(field);
    if (key == "trade_id") fields.number = as<std::int64_t>(field);
    if (key == "timestamp") fields.set_rfc3339(as<std::string_view>(field));
  });
  return is_read ? add_trade(fields, receive_time_ns, out) : DecodeError::missing_field;
}

/// The candles behind a time. The last one is of the minute that is not over, whatever was asked for.
std::string Kraken::candles_target(const CandleQuery& query) const {
  return "/0/public/OHLC?pair=" + symbol(query.instrument).rest +
         "&interval=1&since=" + in_units(query.first_ns - kMinuteNs, kSecondNs);
}

DecodeError Kraken::read_candles(std::string_view body, const CandleQuery& query, std::int64_t receive_time_ns,
                                 std::vector<Candle>& out) {
  constexpr CandleColumns kColumns{kSecondNs, 1, 2, 3, 4, 6, 7};
  return read_result(parser_, body, [&](value& result) {
    DecodeError flaw = DecodeError::missing_field;
    (void)each_field_of(result, [&](std::string_view pair, value& rows) {
      if (pair != "last") flaw = add_candle_rows(rows, kColumns, query, receive_time_ns, out);
    });
    return flaw;
  });
}

}  // namespace livetape::bridge
