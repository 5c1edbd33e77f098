#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/decode_error.hpp"
#include "core/trade.hpp"
#include "exchange/json.hpp"
#include "exchange/venue.hpp"

/// What venues' answers to a question for their own candles have alike.
namespace livetape::bridge {

/// What an answer says of a candle; nothing where it is missing or of the wrong type. The texts are in the parser's
/// memory.
struct CandleFields {
  std::optional<std::int64_t> start_ns;
  std::optional<std::string_view> open;
  std::optional<std::string_view> high;
  std::optional<std::string_view> low;
  std::optional<std::string_view> close;
  std::optional<std::string_view> volume;
  std::optional<std::int64_t> trades;
};

/// Where a candle that is a list has what, counted from 0; its first column is when the minute began.
struct CandleColumns {
  std::int64_t time_unit_ns = 0;
  int open = 0;
  int high = 0;
  int low = 0;
  int close = 0;
  int volume = 0;
  std::optional<int> trades{};   // nothing where the venue does not tell it, or counts something else
  std::optional<int> is_over{};  // where the venue says by a 1 that it changes no more
};

/// A text's characters or a number's own digits: venues write decimals in both ways.
[[nodiscard]] inline std::optional<std::string_view> characters_of(simdjson::ondemand::value& cell) {
  simdjson::ondemand::json_type type{};
  if (cell.type().get(type) != simdjson::SUCCESS) return std::nullopt;
  if (type == simdjson::ondemand::json_type::number) return token_of(cell);
  return as<std::string_view>(cell);
}

/// A count of units of time as nanoseconds; nothing when it is none, or int64 cannot hold them.
[[nodiscard]] std::optional<std::int64_t> as_ns(std::optional<std::string_view> count, std::int64_t unit_ns);

/// Adds a candle by its fields to `out`, its amounts exact, unless it is of another minute than was asked for; or the
/// first of them that is wrong.
[[nodiscard]] DecodeError add_candle(const CandleFields& fields, const CandleQuery& query, std::int64_t receive_time_ns,
                                     std::vector<Candle>& out);
/// The same of a candle that is a list.
[[nodiscard]] inline DecodeError add_candle_row(simdjson::ondemand::value& row, const CandleColumns& columns,
                                                const CandleQuery& query, std::int64_t receive_time_ns,
                                                std::vector<Candle>& out) {
  CandleFields fields;
  bool is_over = true;
  int column = 0;
  const bool is_row = each_item(row, [&](simdjson::ondemand::value& cell) {
    const auto characters = characters_of(cell);
    if (column == 0) fields.start_ns = as_ns(characters, columns.time_unit_ns);
    if (column == columns.open) fields.open = characters;
    if (column == columns.high) fields.high = characters;
    if (column == columns.low) fields.low = characters;
    if (column == columns.close) fields.close = characters;
    if (column == columns.volume) fields.volume = characters;
    if (column == columns.trades) fields.trades = characters ? integer_of(*characters) : std::nullopt;
    if (column == columns.is_over) is_over = characters == "1";
    ++column;
  });
  if (!is_row || (columns.trades && !fields.trades)) return DecodeError::missing_field;
  return is_over ? add_candle(fields, query, receive_time_ns, out) : DecodeError::none;
}

/// The same of a list of such candles. The first flaw of all.
[[nodiscard]] inline DecodeError add_candle_rows(simdjson::ondemand::value& rows, const CandleColumns& columns,
                                                 const CandleQuery& query, std::int64_t receive_time_ns,
                                                 std::vector<Candle>& out) {
  DecodeError flaw = DecodeError::none;
  const bool is_list = each_item(rows, [&](simdjson::ondemand::value& row) {
    keep_first(flaw, add_candle_row(row, columns, query, receive_time_ns, out));
  });
  return is_list ? flaw : DecodeError::missing_field;
}

/// A time as a count of units, for a question.
[[nodiscard]] inline std::string in_units(std::int64_t time_ns, std::int64_t unit_ns) {
  return std::to_string(time_ns / unit_ns);
}

}  // namespace livetape::bridge
