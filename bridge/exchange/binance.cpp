#include "exchange/binance.hpp"

#include <algorithm>
#include <cctype>

#include "core/time.hpp"
#include "exchange/json.hpp"

namespace livetape::bridge {
namespace {

using simdjson::ondemand::object;
using simdjson::ondemand::value;

constexpr std::size_t kStreamsPerMessage = 200;  // a request must stay small; 1,024 streams a connection are allowed

std::string symbol_of(const std::string& instrument, int (*change_case)(int)) {
  std::string symbol;
  for (const char c : instrument) {
    if (c != '-') symbol += static_cast<char>(change_case(static_cast<unsigned char>(c)));
  }
  return symbol;
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

bool is_harmless(std::string_view event) {
  constexpr std::string_view kOthers[] = {"depthUpdate", "bookTicker",     "aggTrade",      "kline",
                                          "24hrTicker",  "24hrMiniTicker", "serverShutdown"};
  return std::ranges::find(kOthers, event) != std::end(kOthers);
}

}  // namespace

Binance::Binance(const std::vector<std::string>& instruments) {
  for (std::uint32_t i = 0; i < instruments.size(); ++i) {
    symbols_.add(symbol_of(instruments[i], std::toupper), i);
    streams_.push_back(symbol_of(instruments[i], std::tolower) + "@trade");
  }
}

std::vector<std::string> Binance::subscribe_messages() const {
  std::vector<std::string> messages;
  for (std::size_t from = 0; from < streams_.size(); from += kStreamsPerMessage) {
    std::string params;
    for (std::size_t i = from; i < std::min(from + kStreamsPerMessage, streams_.size()); ++i) {
      params += (params.empty() ? "\"" : ",\"") + streams_[i] + "\"";
    }
    messages.push_back(R"({"method":"SUBSCRIBE","params":[)" + params + R"(],"id":)" +
                       std::to_string(messages.size() + 1) + "}");
  }
  return messages;
}

FrameResult Binance::decode(std::string_view frame, std::int64_t receive_time_ns, std::vector<Trade>& out) {
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
  if (fields.event.empty() && fields.has_update_id) return {};
  if (fields.event != "trade") {
    return is_harmless(fields.event) ? FrameResult{} : FrameResult::failed(DecodeError::unknown_frame);
  }
  Trade trade;
  const DecodeError error = make_trade(fields, receive_time_ns, trade);
  if (error != DecodeError::none) return FrameResult::failed(error);
  out.push_back(trade);
  return {FrameKind::trades};
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
      fields.id = as<std::int64_t>(field);
      break;
    case 'p':
      fields.price = as<std::string_view>(field);
      break;
    case 'q':
      fields.size = as<std::string_view>(field);
      break;
    case 'T':
      fields.has_time = true;
      fields.time_ms = as<std::int64_t>(field);
      break;
    case 'm':
      fields.buyer_is_maker = as<bool>(field);
      break;
    case 'u':
      fields.has_update_id = true;
      break;
    default:
      break;
  }
}

DecodeError Binance::make_trade(const Fields& fields, std::int64_t receive_time_ns, Trade& trade) const {
  if (!fields.symbol || !fields.id || !fields.price || !fields.size || !fields.has_time || !fields.buyer_is_maker) {
    return DecodeError::missing_field;
  }
  const auto instrument = symbols_.find(*fields.symbol);
  if (!instrument) return DecodeError::unknown_instrument;
  const auto time_ns = fields.time_ms ? milliseconds_as_ns(*fields.time_ms) : std::nullopt;
  if (!time_ns) return DecodeError::time_out_of_range;
  trade.instrument = *instrument;
  trade.aggressor = *fields.buyer_is_maker ? Aggressor::sell : Aggressor::buy;
  trade.event_time_ns = *time_ns;
  trade.receive_time_ns = receive_time_ns;
  if (const DecodeError error = set_numbered_id(*fields.id, trade); error != DecodeError::none) return error;
  return read_amounts(*fields.price, *fields.size, trade);
}

}  // namespace livetape::bridge
