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
    messages.push_back("{\"method\":\"SUBSCRIBE\",\"params\":[" + params +
                       "],\"id\":" + std::to_string(messages.size() + 1) + "}");
  }
  return messages;
}

FrameResult Binance::decode(std::string_view frame, std::int64_t receive_time_ns, std::vector<Trade>& out) {
  out.clear();
  simdjson::ondemand::document document;
  object root;
  if (parser_.iterate(padded(frame)).get(document) != simdjson::SUCCESS ||
      document.get_object().get(root) != simdjson::SUCCESS) {
    return FrameResult::failed(DecodeError::malformed_json);
  }
  value field;
  object data;
  if (root.find_field_unordered("data").get(field) == simdjson::SUCCESS) {
    if (field.get_object().get(data) != simdjson::SUCCESS) return FrameResult::failed(DecodeError::missing_field);
  } else {
    document.rewind();
    if (document.get_object().get(data) != simdjson::SUCCESS) return FrameResult::failed(DecodeError::malformed_json);
    if (data.find_field_unordered("error").get(field) == simdjson::SUCCESS) {
      return {FrameKind::refused, DecodeError::none, std::string(frame)};
    }
    if (data.find_field_unordered("id").get(field) == simdjson::SUCCESS) return {FrameKind::subscribed};
  }
  std::string_view event;
  if (data.find_field_unordered("e").get(event) != simdjson::SUCCESS) {
    // bookTicker is the one stream whose frames have no event type; it has an update id instead.
    const bool is_book_ticker = data.find_field_unordered("u").get(field) == simdjson::SUCCESS;
    return is_book_ticker ? FrameResult{} : FrameResult::failed(DecodeError::unknown_frame);
  }
  if (event != "trade") return is_harmless(event) ? FrameResult{} : FrameResult::failed(DecodeError::unknown_frame);
  Trade trade;
  const DecodeError error = decode_trade(data, receive_time_ns, trade);
  if (error != DecodeError::none) return FrameResult::failed(error);
  out.push_back(trade);
  return {FrameKind::trades};
}

DecodeError Binance::decode_trade(object& data, std::int64_t receive_time_ns, Trade& trade) {
  std::string_view symbol, price, size;
  std::int64_t id = 0, time_ms = 0;
  bool buyer_is_maker = false;
  if (data.find_field_unordered("s").get(symbol) != simdjson::SUCCESS ||
      data.find_field_unordered("t").get(id) != simdjson::SUCCESS ||
      data.find_field_unordered("p").get(price) != simdjson::SUCCESS ||
      data.find_field_unordered("q").get(size) != simdjson::SUCCESS) {
    return DecodeError::missing_field;
  }
  if (data.find_field_unordered("T").get(time_ms) != simdjson::SUCCESS) return DecodeError::time_out_of_range;
  if (data.find_field_unordered("m").get(buyer_is_maker) != simdjson::SUCCESS) return DecodeError::missing_field;
  const auto instrument = symbols_.find(symbol);
  if (!instrument) return DecodeError::unknown_instrument;
  const auto time_ns = milliseconds_as_ns(time_ms);
  if (!time_ns) return DecodeError::time_out_of_range;
  trade.instrument = *instrument;
  trade.aggressor = buyer_is_maker ? Aggressor::sell : Aggressor::buy;
  trade.event_time_ns = *time_ns;
  trade.receive_time_ns = receive_time_ns;
  if (const DecodeError error = set_numbered_id(id, trade); error != DecodeError::none) return error;
  return read_amounts(price, size, trade);
}

}  // namespace livetape::bridge
