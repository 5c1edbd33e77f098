#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace livetape::kernel {

inline constexpr std::size_t kMaxVarintBytes = 10;

/// The zig-zag number that Avro and Kafka both write with 7 bits a byte.
constexpr std::uint64_t zigzag(std::int64_t value) noexcept {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

constexpr std::int64_t unzigzag(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

/// Eight groups of 7 bits side by side, each from its byte, of which the highest bit is clear. The upper one of two
/// comes down by what is subtracted.
constexpr std::uint64_t joined_groups(std::uint64_t bytes) noexcept {
  bytes -= (bytes & 0x7f007f007f007f00) >> 1;
  bytes -= ((bytes & 0x3fff00003fff0000) >> 2) * 3;
  return bytes >> 32 << 28 | static_cast<std::uint32_t>(bytes);
}

/// Writes a number where there is room for `kMaxVarintBytes`; returns where the next byte goes. Of eight bytes or fewer
/// all are written at once: a loop's end is anybody's guess.
[[gnu::always_inline]] inline std::uint8_t* put_varint(std::uint8_t* at, std::int64_t value) noexcept {
  std::uint64_t rest = zigzag(value);
  if (rest < 0x80) {
    *at = static_cast<std::uint8_t>(rest);
    return at + 1;
  }
  constexpr unsigned kGroup = 7;
  if (rest >> (8 * kGroup) == 0) {
    const auto bytes = (static_cast<unsigned>(std::bit_width(rest)) + kGroup - 1) / kGroup;
    std::uint64_t spread = (rest & 0x00fffffff0000000) << 4 | (rest & 0x000000000fffffff);
    spread = (spread & 0x0fffc0000fffc000) << 2 | (spread & 0x00003fff00003fff);
    spread = (spread & 0x3f803f803f803f80) << 1 | (spread & 0x007f007f007f007f);
    spread |= 0x8080808080808080 & ((std::uint64_t{1} << (8 * (bytes - 1))) - 1);
    if constexpr (std::endian::native == std::endian::big) spread = __builtin_bswap64(spread);
    std::memcpy(at, &spread, sizeof spread);
    return at + bytes;
  }
  for (; rest >= 0x80; rest >>= kGroup) *at++ = static_cast<std::uint8_t>(rest | 0x80);
  *at++ = static_cast<std::uint8_t>(rest);
  return at;
}

constexpr std::size_t varint_bytes(std::int64_t value) noexcept {
  return (static_cast<std::size_t>(std::bit_width(zigzag(value) | 1)) + 6) / 7;
}

}  // namespace livetape::kernel
