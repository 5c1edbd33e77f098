#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace livetape::bridge {

/// Why a frame could not be decoded.
enum class DecodeError : std::uint8_t {
  none,
  malformed_json,
  missing_field,
  unknown_frame,
  unknown_instrument,
  malformed_price,
  malformed_size,
  price_too_precise,
  size_too_precise,
  price_out_of_range,
  size_out_of_range,
  price_not_positive,
  size_not_positive,
  malformed_time,
  time_out_of_range,
  bad_trade_id,
  count,
};

inline constexpr std::size_t kDecodeErrorCount = static_cast<std::size_t>(DecodeError::count);

/// Of several flaws the first is told.
constexpr void keep_first(DecodeError& flaw, DecodeError error) noexcept {
  if (flaw == DecodeError::none) flaw = error;
}

/// The reason as metrics and the kept frames have it.
[[nodiscard]] constexpr std::string_view name_of(DecodeError error) noexcept {
  switch (error) {
    case DecodeError::none:
      return "none";
    case DecodeError::malformed_json:
      return "malformed_json";
    case DecodeError::missing_field:
      return "missing_field";
    case DecodeError::unknown_frame:
      return "unknown_frame";
    case DecodeError::unknown_instrument:
      return "unknown_instrument";
    case DecodeError::malformed_price:
      return "malformed_price";
    case DecodeError::malformed_size:
      return "malformed_size";
    case DecodeError::price_too_precise:
      return "price_too_precise";
    case DecodeError::size_too_precise:
      return "size_too_precise";
    case DecodeError::price_out_of_range:
      return "price_out_of_range";
    case DecodeError::size_out_of_range:
      return "size_out_of_range";
    case DecodeError::price_not_positive:
      return "price_not_positive";
    case DecodeError::size_not_positive:
      return "size_not_positive";
    case DecodeError::malformed_time:
      return "malformed_time";
    case DecodeError::time_out_of_range:
      return "time_out_of_range";
    case DecodeError::bad_trade_id:
      return "bad_trade_id";
    case DecodeError::count:
      break;
  }
  return "unknown";
}

}  // namespace livetape::bridge
