#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace livetape::bridge {

static_assert(std::endian::native == std::endian::little);

/// The type that holds an unsigned number of so many bytes: 2, 4, 6 or 8.
template <std::size_t kWidth>
using UnsignedOf =
    std::conditional_t<kWidth == 2, std::uint16_t, std::conditional_t<kWidth == 4, std::uint32_t, std::uint64_t>>;

/// An unsigned number in network order.
template <std::size_t kWidth>
[[nodiscard]] inline UnsignedOf<kWidth> read_big_endian(const std::uint8_t* at) noexcept {
  static_assert(kWidth == 2 || kWidth == 4 || kWidth == 6 || kWidth == 8);
  if constexpr (kWidth == 6) {
    return std::uint64_t{read_big_endian<2>(at)} << 32 | read_big_endian<4>(at + 2);
  } else {
    UnsignedOf<kWidth> value;
    std::memcpy(&value, at, kWidth);
    if constexpr (kWidth == 2) return __builtin_bswap16(value);
    if constexpr (kWidth == 4) return __builtin_bswap32(value);
    if constexpr (kWidth == 8) return __builtin_bswap64(value);
  }
}

/// The same, written.
template <std::size_t kWidth>
inline void write_big_endian(std::uint8_t* at, std::uint64_t value) noexcept {
  for (std::size_t i = kWidth; i-- > 0; value >>= 8) at[i] = static_cast<std::uint8_t>(value);
}

}  // namespace livetape::bridge
