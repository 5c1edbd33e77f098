#include "exchange/kraken.hpp"

#include <algorithm>

#include "core/time.hpp"
#include "exchange/json.hpp"

namespace livetape::bridge {
namespace {

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
  simdjson::ondemand::document document;
  object root;
  if (parser_.iterate(padded(frame)).get(document) != simdjson::SUCCESS ||
      document.get_object().get(root) != simdjson::SUCCESS) {
    return FrameResult::failed(DecodeError::malformed_json);
  }
  std::string_view channel, type;
  if (root.find_field_unordered("channel").get(channel) != simdjson::SUCCESS) {
    document.rewind();
    if (document.get_object().get(root) != simdjson::SUCCESS) return FrameResult::failed(DecodeError::malformed_json);
    return decode_answer(root, frame);
  }
  if (channel == "heartbeat" || channel == "status") return {};
  if (channel != "trade") return FrameResult::failed(DecodeError::unknown_frame);
  if (root.find_field_unordered("type").get(type) != simdjson::SUCCESS) {
    return FrameResult::failed(DecodeError::missing_field);
  }
  if (type == "snapshot") return {};  // trades from before the subscription, which was asked to do without them
  simdjson::ondemand::array data;
  if (root.find_field_unordered("data").get_array().get(data) != simdjson::SUCCESS) {
    return FrameResult::failed(DecodeError::missing_field);
  }
  for (auto element : data) {
    object fields;
    if (element.get_object().get(fields) != simdjson::SUCCESS) return FrameResult::failed(DecodeError::malformed_json);
    Trade trade;
    const DecodeError error = decode_trade(fields, receive_time_ns, trade);
    if (error != DecodeError::none) return FrameResult::failed(error);
    out.push_back(trade);
  }
  return {FrameKind::trades};
}

/// An answer to a request: `method`, `success`, and `error` when there was none.
FrameResult Kraken::decode_answer(object& root, std::string_view frame) {
  std::string_view method;
  bool success = false;
  if (root.find_field_unordered("method").get(method) != simdjson::SUCCESS) {
    return FrameResult::failed(DecodeError::unknown_frame);
  }
  if (method == "pong") return {};
  if (method != "subscribe") return FrameResult::failed(DecodeError::unknown_frame);
  if (root.find_field_unordered("success").get(success) != simdjson::SUCCESS) {
    return FrameResult::failed(DecodeError::missing_field);
  }
  if (success) return {FrameKind::subscribed};
  return {FrameKind::refused, DecodeError::none, std::string(frame)};
}

DecodeError Kraken::decode_trade(object& data, std::int64_t receive_time_ns, Trade& trade) {
  std::string_view symbol, side, timestamp;
  value price, size;
  std::int64_t id = 0;
  if (data.find_field_unordered("symbol").get(symbol) != simdjson::SUCCESS) return DecodeError::missing_field;
  const auto instrument = symbols_.find(symbol);
  if (!instrument) return DecodeError::unknown_instrument;
  if (data.find_field_unordered("side").get(side) != simdjson::SUCCESS) return DecodeError::missing_field;
  trade.instrument = *instrument;
  trade.aggressor = side == "buy" ? Aggressor::buy : side == "sell" ? Aggressor::sell : Aggressor::unknown;
  if (data.find_field_unordered("price").get(price) != simdjson::SUCCESS) return DecodeError::missing_field;
  const std::string_view price_digits = digits_of(price);
  if (data.find_field_unordered("qty").get(size) != simdjson::SUCCESS) return DecodeError::missing_field;
  const DecodeError error = read_amounts(price_digits, digits_of(size), trade);
  if (error != DecodeError::none) return error;
  if (data.find_field_unordered("trade_id").get(id) != simdjson::SUCCESS ||
      data.find_field_unordered("timestamp").get(timestamp) != simdjson::SUCCESS) {
    return DecodeError::missing_field;
  }
  const auto time_ns = parse_rfc3339_ns(timestamp);
  if (!time_ns) return DecodeError::time_out_of_range;
  trade.event_time_ns = *time_ns;
  trade.receive_time_ns = receive_time_ns;
  return set_numbered_id(id, trade);
}

}  // namespace livetape::bridge
