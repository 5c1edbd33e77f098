#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/trade.hpp"
#include "exchange/decode_error.hpp"
#include "livetape/decimal.hpp"

/// Reading of the fields that trades of several venues have alike.
namespace livetape::bridge {

/// The parser's view of a frame that has simdjson's padding behind it.
[[nodiscard]] inline simdjson::padded_string_view padded(std::string_view frame) noexcept {
  return simdjson::padded_string_view(frame.data(), frame.size(), frame.size() + simdjson::SIMDJSON_PADDING);
}

/// Reads a frame's fields in one pass, as simdjson wants it: calls `visit(key, value)` for each of them and stops at
/// the first place that is no JSON. A value that is not consumed is skipped. False when the object is broken.
template <typename Visit>
[[nodiscard]] bool each_field(simdjson::ondemand::object& object, Visit visit) {
  for (auto field : object) {
    std::string_view key;
    simdjson::ondemand::value value;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS || field.value().get(value) != simdjson::SUCCESS)
      return false;
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

/// A value of the wanted type; nothing when it has another or does not fit.
template <typename T>
[[nodiscard]] std::optional<T> as(simdjson::ondemand::value& value) noexcept {
  T result{};
  if (value.get<T>().get(result) != simdjson::SUCCESS) return std::nullopt;
  return result;
}

/// A number's own digits, for decimals that must not pass through a double.
[[nodiscard]] inline std::string_view digits_of(simdjson::ondemand::value& number) noexcept {
  std::string_view token = number.raw_json_token();
  while (!token.empty() &&
         (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

/// Reads price and size exactly; both must be above zero.
[[nodiscard]] inline DecodeError read_amounts(std::string_view price, std::string_view size, Trade& trade) noexcept {
  const ParsedDecimal parsed_price = parse_decimal(price);
  if (parsed_price.error != DecimalError::none) return DecodeError::malformed_price;
  if (parsed_price.unscaled <= 0) return DecodeError::price_not_positive;
  const ParsedDecimal parsed_size = parse_decimal(size);
  if (parsed_size.error != DecimalError::none) return DecodeError::malformed_size;
  if (parsed_size.unscaled <= 0) return DecodeError::size_not_positive;
  trade.price = parsed_price.unscaled;
  trade.size = parsed_size.unscaled;
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
