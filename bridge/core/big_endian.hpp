#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace livetape::bridge {

/// Writes a number as big-endian bytes; there must be room.
template <std::unsigned_integral Number>
void put_big_endian(Number number, std::uint8_t* out) noexcept {
  for (std::size_t i = 0; i < sizeof number; ++i) {
    out[i] = static_cast<std::uint8_t>(number >> (8 * (sizeof number - 1 - i)));
  }
}

/// The number whose big-endian bytes begin there.
template <std::unsigned_integral Number>
[[nodiscard]] Number get_big_endian(const std::uint8_t* in) noexcept {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) number = static_cast<Number>(number << 8 | in[i]);
  return number;
}

}  // namespace livetape::bridge
