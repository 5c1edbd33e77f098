#pragma once

#include <simdjson.h>

#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/candle_rows.hpp"
#include "exchange/json.hpp"
#include "exchange/venue.hpp"

/// What the APIs of Binance spot and of its futures have alike.
namespace livetape::bridge {

/// A stream's name: the symbol in lower case, and what kind of stream it is.
[[nodiscard]] inline std::string binance_stream(std::string_view symbol, std::string_view kind) {
  std::string name;
  for (const char c : symbol) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name.append(kind);
}

/// A request to subscribe to streams, or no longer.
[[nodiscard]] inline std::string binance_request(const std::string& streams, bool is_on) {
  return std::string(R"({"method":")") + (is_on ? "SUBSCRIBE" : "UNSUBSCRIBE") + R"(","params":[)" + streams +
         R"(],"id":1})";
}

/// Where a page of the history begins; without it, it is the newest.
[[nodiscard]] inline std::string from_id_of(const HistoryQuery& query) {
  return query.first_id ? "&fromId=" + std::to_string(*query.first_id) : std::string();
}

/// What a frame says of a request. An error is seen as an object of its own; the documents have code and message beside
/// each other.
/// Source: "WebSocket Streams for Binance", section "Live Subscribing/Unsubscribing to streams", "Error Messages".
struct BinanceAnswer {
  bool is_answer = false;
  bool is_refusal = false;
  std::string_view reason;

  void read(std::string_view key, simdjson::ondemand::value& field) {
    if (key == "id") is_answer = true;
    if (key == "code") is_refusal = true;
    if (key == "msg") reason = as<std::string_view>(field).value_or("");
    if (key != "error") return;
    is_refusal = true;
    (void)each_field_of(field, [this](std::string_view name, simdjson::ondemand::value& part) {
      if (name == "msg") reason = as<std::string_view>(part).value_or("");
    });
  }
  [[nodiscard]] FrameResult refusal() const { return {FrameKind::refused, DecodeError::none, std::string(reason)}; }
};

/// Reads a frame of a stream: calls `visit(key, field)` for each field of its event, which is under `data` by the
/// endpoint of combined streams, and the frame itself by a raw one; names of an event have one letter. What is not of
/// the event is of an answer. False when the frame is no JSON.
template <typename Visit>
[[nodiscard]] bool each_field_of_binance_event(simdjson::ondemand::parser& parser, std::string_view frame,
                                               BinanceAnswer& answer, Visit visit) {
  bool has_data = false;
  const bool is_json = each_field_of_frame(parser, frame, [&](std::string_view key, simdjson::ondemand::value& field) {
    if (key == "data") {
      has_data = true;
      (void)each_field_of(field, visit);  // of what is no object, the fields are missing
    } else if (key.size() == 1) {
      visit(key, field);
    } else {
      answer.read(key, field);
    }
  });
  if (has_data) answer = {};
  return is_json;
}

/// Whether an answer says that there is no such symbol.
[[nodiscard]] inline bool binance_says_unlisted(simdjson::ondemand::parser& parser, std::string_view body) {
  constexpr std::int64_t kInvalidSymbol = -1'121;
  std::optional<std::int64_t> code;
  (void)each_field_of_frame(parser, body, [&](std::string_view key, simdjson::ondemand::value& field) {
    if (key == "code") code = as<std::int64_t>(field);
  });
  return code == kInvalidSymbol;
}

inline constexpr std::int64_t kBinanceTimeNs = 1'000'000;  // of klines: milliseconds

/// A question for klines of a minute.
[[nodiscard]] inline std::string binance_klines_target(std::string_view path, const std::string& symbol,
                                                       const CandleQuery& query) {
  return std::string(path) + "?symbol=" + symbol +
         "&interval=1m&startTime=" + in_units(query.first_ns, kBinanceTimeNs) +
         "&endTime=" + in_units(query.last_ns, kBinanceTimeNs) + "&limit=" + std::to_string(CandleQuery::kMostMinutes);
}

/// Reads klines; whether what they count is what we call a trade, the caller knows.
[[nodiscard]] inline DecodeError read_binance_klines(simdjson::ondemand::parser& parser, std::string_view body,
                                                     bool has_trades, const CandleQuery& query,
                                                     std::int64_t receive_time_ns, std::vector<Candle>& out) {
  CandleColumns columns{kBinanceTimeNs, 1, 2, 3, 4, 5};
  if (has_trades) columns.trades = 8;
  DecodeError flaw = DecodeError::none;
  const bool is_list = each_item_of_answer(parser, body, [&](simdjson::ondemand::value& row) {
    keep_first(flaw, add_candle_row(row, columns, query, receive_time_ns, out));
  });
  return is_list ? flaw : DecodeError::malformed_json;
}

}  // namespace livetape::bridge
