#pragma once

#include <cstddef>
#include <cstdint>

namespace livetape::kernel {

inline constexpr std::size_t kMaxVarintBytes = 10;

/// The zig-zag number that Avro and Kafka both write with 7 bits a byte.
constexpr std::uint64_t zigzag(std::int64_t value) noexcept {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

/// Writes a number of at most `kMaxVarintBytes`; returns where the next byte goes.
inline std::uint8_t* put_varint(std::uint8_t* at, std::int64_t value) noexcept {
  std::uint64_t rest = zigzag(value);
  for (; rest >= 0x80; rest >>= 7) *at++ = static_cast<std::uint8_t>(rest | 0x80);
  *at++ = static_cast<std::uint8_t>(rest);
  return at;
}

constexpr std::size_t varint_bytes(std::int64_t value) noexcept {
  std::size_t bytes = 1;
  for (std::uint64_t rest = zigzag(value); rest >= 0x80; rest >>= 7) ++bytes;
  return bytes;
}

}  // namespace livetape::kernel
