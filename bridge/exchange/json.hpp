#pragma once

#include <simdjson.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/decode_error.hpp"
#include "core/trade.hpp"
#include "livetape/decimal.hpp"

/// Reading of the fields that trades of several venues have alike.
namespace livetape::bridge {

/// The parser's view of a frame that has simdjson's padding behind it.
[[nodiscard]] inline simdjson::padded_string_view padded(std::string_view frame) noexcept {
  return simdjson::padded_string_view(frame.data(), frame.size(), frame.size() + simdjson::SIMDJSON_PADDING);
}

/// A field's name as it stands in the frame. A copy in the parser's memory is made only where it has escapes: copies of
/// names and texts were a quarter of what a trade's frame took. False when it is broken.
[[nodiscard]] inline bool read_key(simdjson::simdjson_result<simdjson::ondemand::field>& field, std::string_view& key) {
  simdjson::ondemand::raw_json_string raw;
  if (field.key().get(raw) != simdjson::SUCCESS) return false;
  const char* end = raw.raw();
  while (*end != '"' && *end != '\\') ++end;  // the parser has seen that it ends
  key = {raw.raw(), static_cast<std::size_t>(end - raw.raw())};
  return *end == '"' || field.unescaped_key().get(key) == simdjson::SUCCESS;
}

/// Reads a frame's fields in one pass, as simdjson wants it: calls `visit(key, value)` for each of them and stops at
/// the first place that is no JSON. A value that is not consumed is skipped. False when the object is broken.
template <typename Visit>
[[nodiscard]] bool each_field(simdjson::ondemand::object& object, Visit visit) {
  for (auto field : object) {
    std::string_view key;
    simdjson::ondemand::value value;
    if (!read_key(field, key) || field.value().get(value) != simdjson::SUCCESS) return false;
    visit(key, value);
  }
  return true;
}

/// The same for a whole frame, which must be one object from its first brace to its last.
template <typename Visit>
[[nodiscard]] bool each_field_of_frame(simdjson::ondemand::parser& parser, std::string_view frame, Visit visit) {
  simdjson::ondemand::document document;
  simdjson::ondemand::object root;
  return parser.iterate(padded(frame)).get(document) == simdjson::SUCCESS &&
         document.get_object().get(root) == simdjson::SUCCESS && each_field(root, visit) &&
         document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

/// Reads an array's items in one pass: calls `visit(value)` for each. False when the array is broken, or is none.
template <typename Visit>
[[nodiscard]] bool each_item(simdjson::ondemand::value& array, Visit visit) {
  simdjson::ondemand::array items;
  if (array.get_array().get(items) != simdjson::SUCCESS) return false;
  for (auto item : items) {
    simdjson::ondemand::value value;
    if (item.get(value) != simdjson::SUCCESS) return false;
    visit(value);
  }
  return true;
}

/// The same for a whole answer, which must be one array from its first bracket to its last.
template <typename Visit>
[[nodiscard]] bool each_item_of_answer(simdjson::ondemand::parser& parser, std::string_view answer, Visit visit) {
  simdjson::ondemand::document document;
  simdjson::ondemand::value root;
  return parser.iterate(padded(answer)).get(document) == simdjson::SUCCESS &&
         document.get_value().get(root) == simdjson::SUCCESS && each_item(root, visit) &&
         document.current_location().error() == simdjson::OUT_OF_BOUNDS;
}

/// Reads the fields of a value that should be an object. False when it is none.
template <typename Visit>
[[nodiscard]] bool each_field_of(simdjson::ondemand::value& value, Visit visit) {
  simdjson::ondemand::object fields;
  return value.get_object().get(fields) == simdjson::SUCCESS && each_field(fields, visit);
}

/// A value of the wanted type; nothing when it has another or does not fit.
template <typename T>
[[nodiscard]] std::optional<T> as(simdjson::ondemand::value& value) noexcept {
  T result{};
  if (value.get<T>().get(result) != simdjson::SUCCESS) return std::nullopt;
  return result;
}

/// A value as it stands in the frame: a number's own digits, for decimals that must not pass through a double.
[[nodiscard]] inline std::string_view token_of(simdjson::ondemand::value& value) noexcept {
  std::string_view token = value.raw_json_token();
  while (!token.empty() &&
         (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

/// A text as it stands in the frame, or unescaped in the parser's memory; valid until the next frame.
template <>
[[nodiscard]] inline std::optional<std::string_view> as<std::string_view>(simdjson::ondemand::value& value) noexcept {
  std::string_view text = token_of(value);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"' && text.find('\\') == std::string_view::npos) {
    return text.substr(1, text.size() - 2);
  }
  if (value.get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

/// Why an amount is refused that cannot be read.
[[nodiscard]] constexpr DecodeError price_flaw(DecimalError error) noexcept {
  if (error == DecimalError::too_precise) return DecodeError::price_too_precise;
  return error == DecimalError::out_of_range ? DecodeError::price_out_of_range : DecodeError::malformed_price;
}
[[nodiscard]] constexpr DecodeError size_flaw(DecimalError error) noexcept {
  if (error == DecimalError::too_precise) return DecodeError::size_too_precise;
  return error == DecimalError::out_of_range ? DecodeError::size_out_of_range : DecodeError::malformed_size;
}

/// Reads price and size exactly; both must be above zero.
[[nodiscard]] inline DecodeError read_amounts(std::string_view price, std::string_view size, Trade& trade) noexcept {
  const ParsedDecimal parsed_price = parse_decimal(price);
  if (parsed_price.error != DecimalError::none) return price_flaw(parsed_price.error);
  if (parsed_price.unscaled <= 0) return DecodeError::price_not_positive;
  const ParsedDecimal parsed_size = parse_decimal(size);
  if (parsed_size.error != DecimalError::none) return size_flaw(parsed_size.error);
  if (parsed_size.unscaled <= 0) return DecodeError::size_not_positive;
  trade.price = parsed_price.unscaled;
  trade.size = parsed_size.unscaled;
  return DecodeError::none;
}

/// Reads one side of a quote exactly. It is left empty where the venue names none, or one of no size.
[[nodiscard]] inline DecodeError read_level(std::optional<std::string_view> price, std::optional<std::string_view> size,
                                            Level& level) noexcept {
  if (!price || !size) return price || size ? DecodeError::missing_field : DecodeError::none;
  const ParsedDecimal parsed_price = parse_decimal(*price);
  if (parsed_price.error != DecimalError::none) return price_flaw(parsed_price.error);
  const ParsedDecimal parsed_size = parse_decimal(*size);
  if (parsed_size.error != DecimalError::none) return size_flaw(parsed_size.error);
  if (parsed_size.unscaled < 0) return DecodeError::size_not_positive;
  if (parsed_size.unscaled == 0) return DecodeError::none;
  if (parsed_price.unscaled <= 0) return DecodeError::price_not_positive;
  level = {parsed_price.unscaled, parsed_size.unscaled};
  return DecodeError::none;
}

/// The first of a list of levels, each [price, size, …], the best one. Nothing of an empty list, which is true all the
/// same: nobody offers there. False when it is no list, or its first is no level.
[[nodiscard]] inline bool read_best(simdjson::ondemand::value& levels, std::optional<std::string_view>& price,
                                    std::optional<std::string_view>& size) {
  bool is_empty = true;
  const bool is_list = each_item(levels, [&](simdjson::ondemand::value& level) {
    if (!std::exchange(is_empty, false)) return;
    int column = 0;
    (void)each_item(level, [&](simdjson::ondemand::value& cell) {
      if (column == 0) price = as<std::string_view>(cell);
      if (column == 1) size = as<std::string_view>(cell);
      ++column;
    });
  });
  return is_list && (is_empty || price);
}

/// The whole number that a text is; nothing when it is none, or int64 cannot hold it.
[[nodiscard]] inline std::optional<std::int64_t> integer_of(std::string_view text) noexcept {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// How many trades one stands for whose number is the last of theirs.
[[nodiscard]] inline DecodeError set_count(std::int64_t count, Trade& trade) noexcept {
  if (count < 1 || count - 1 > trade.seq || !std::in_range<std::uint32_t>(count)) return DecodeError::bad_trade_id;
  trade.numbers = static_cast<std::uint32_t>(count);
  return DecodeError::none;
}

/// A venue's contiguous trade number, as id and as order.
[[nodiscard]] inline DecodeError set_numbered_id(std::int64_t number, Trade& trade) {
  if (number < 0 || !trade.id.assign(std::to_string(number))) return DecodeError::bad_trade_id;
  trade.seq = number;
  trade.has_seq = true;
  return DecodeError::none;
}

}  // namespace livetape::bridge
