#include "exchange/kraken.hpp"

#include <algorithm>

#include "core/time.hpp"
#include "exchange/json.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::array;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

constexpr std::size_t kSymbolsPerMessage = 100;

}  // namespace

Kraken::Kraken(const std::vector<std::string>& instruments) {
  for (std::uint32_t i = 0; i < instruments.size(); ++i) {
    std::string symbol = instruments[i];
    std::ranges::replace(symbol, '-', '/');
    symbols_.add(symbol, i);
    venue_symbols_.push_back(std::move(symbol));
  }
}

std::vector<std::string> Kraken::subscribe_messages() const {
  std::vector<std::string> messages;
  for (std::size_t from = 0; from < venue_symbols_.size(); from += kSymbolsPerMessage) {
    std::string symbols;
    for (std::size_t i = from; i < std::min(from + kSymbolsPerMessage, venue_symbols_.size()); ++i) {
      symbols += (symbols.empty() ? "\"" : ",\"") + venue_symbols_[i] + "\"";
    }
    messages.push_back(R"({"method":"subscribe","params":{"channel":"trade","symbol":[)" + symbols +
                       R"(],"snapshot":false}})");
  }
  return messages;
}

FrameResult Kraken::decode(std::string_view frame, std::int64_t receive_time_ns, std::vector<Trade>& out) {
  out.clear();
  Envelope envelope;
  const bool is_json = each_field_of_frame(parser_, frame, [&](std::string_view key, value& field) {
    if (key == "channel") envelope.channel = as<std::string_view>(field);
    if (key == "type") envelope.type = as<std::string_view>(field);
    if (key == "method") envelope.method = as<std::string_view>(field);
    if (key == "success") envelope.success = as<bool>(field);
    if (key == "error") envelope.error = as<std::string_view>(field).value_or("");
    if (key == "data") envelope.flaw = decode_data(field, receive_time_ns, out);
  });
  FrameResult result = is_json ? judge(envelope) : FrameResult::failed(DecodeError::malformed_json);
  const bool has_trades = is_json && envelope.channel == "trade" && envelope.type == "update";
  if (!has_trades) out.clear();
  return result;
}

/// A channel's message, or the answer to a request: `method` where Kraken could make it out, `success`, and `error`.
FrameResult Kraken::judge(const Envelope& envelope) {
  const auto failed = [](DecodeError error) { return FrameResult::failed(error); };
  if (!envelope.channel) {
    if (envelope.method == "pong") return {};
    if (envelope.success == false) return {FrameKind::refused, DecodeError::none, std::string(envelope.error)};
    if (envelope.method != "subscribe") return failed(DecodeError::unknown_frame);
    return envelope.success ? FrameResult{FrameKind::subscribed} : failed(DecodeError::missing_field);
  }
  if (envelope.channel == "heartbeat" || envelope.channel == "status") return {};
  if (envelope.channel != "trade") return failed(DecodeError::unknown_frame);
  if (envelope.type == "snapshot")
    return {};  // trades from before the subscription, which was asked to do without them
  if (envelope.type != "update" || !envelope.flaw) return failed(DecodeError::missing_field);
  return *envelope.flaw == DecodeError::none ? FrameResult{FrameKind::trades} : failed(*envelope.flaw);
}

/// Takes the trades that are good, and tells the first flaw of the others; nothing when it is no list.
std::optional<DecodeError> Kraken::decode_data(value& data, std::int64_t receive_time_ns, std::vector<Trade>& out) {
  array list;
  if (data.get_array().get(list) != simdjson::SUCCESS) return std::nullopt;
  DecodeError first_flaw = DecodeError::none;
  for (auto element : list) {
    value item;
    if (element.get(item) != simdjson::SUCCESS) return DecodeError::malformed_json;
    Trade trade;
    const DecodeError flaw = decode_trade(item, receive_time_ns, trade);
    if (flaw == DecodeError::none) out.push_back(trade);
    if (first_flaw == DecodeError::none) first_flaw = flaw;
  }
  return first_flaw;
}

DecodeError Kraken::decode_trade(value& item, std::int64_t receive_time_ns, Trade& trade) const {
  object data;
  Fields fields;
  if (item.get_object().get(data) != simdjson::SUCCESS) return DecodeError::missing_field;
  const bool is_json = each_field(data, [&](std::string_view key, value& field) {
    if (key == "symbol") fields.symbol = as<std::string_view>(field);
    if (key == "side") fields.side = as<std::string_view>(field);
    if (key == "price") fields.price = digits_of(field);
    if (key == "qty") fields.size = digits_of(field);
    if (key == "trade_id") fields.id = as<std::int64_t>(field);
    if (key == "timestamp") fields.timestamp = as<std::string_view>(field);
  });
  return is_json ? make_trade(fields, receive_time_ns, trade) : DecodeError::malformed_json;
}

DecodeError Kraken::make_trade(const Fields& fields, std::int64_t receive_time_ns, Trade& trade) const {
  if (!fields.symbol || !fields.side || !fields.price || !fields.size || !fields.id || !fields.timestamp) {
    return DecodeError::missing_field;
  }
  const auto instrument = symbols_.find(*fields.symbol);
  if (!instrument) return DecodeError::unknown_instrument;
  const auto time_ns = parse_rfc3339_ns(*fields.timestamp);
  if (!time_ns) return DecodeError::time_out_of_range;
  trade.instrument = *instrument;
  trade.aggressor = fields.side == "buy"    ? Aggressor::buy
                    : fields.side == "sell" ? Aggressor::sell
                                            : Aggressor::unknown;
  trade.event_time_ns = *time_ns;
  trade.receive_time_ns = receive_time_ns;
  if (const DecodeError error = set_numbered_id(*fields.id, trade); error != DecodeError::none) return error;
  return read_amounts(*fields.price, *fields.size, trade);
}

}  // namespace livetape::bridge
