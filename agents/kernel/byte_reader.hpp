#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace livetape::kernel {

/// A cursor over bytes that never reads past their end: after a read that does not fit, `ok` is false for good and
/// every further read gives zero or nothing.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> data) noexcept
      : at_(data.data()), end_(data.data() + data.size()) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }

  /// A big-endian integer of the width of `T`.
  template <typename T>
  T big_endian() noexcept {
    const auto raw = bytes(sizeof(T));
    std::uint64_t value = 0;
    for (const std::uint8_t byte : raw) value = (value << 8) | byte;
    return static_cast<T>(value);
  }

  /// Zig-zag and 7 bits a byte: Avro's long and Kafka's varint and varlong.
  std::int64_t varlong() noexcept {
    std::uint64_t zigzag = 0;
    for (unsigned shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const std::uint8_t byte = *at_++;
      zigzag |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return static_cast<std::int64_t>((zigzag >> 1) ^ (~(zigzag & 1) + 1));
    }
    return fail(), 0;
  }

  std::span<const std::uint8_t> bytes(std::size_t count) noexcept {
    if (count > remaining()) return fail(), std::span<const std::uint8_t>{};
    const std::span<const std::uint8_t> found{at_, count};
    at_ += count;
    return found;
  }

  /// Bytes behind their length, as Avro's bytes and string; a negative length fails.
  std::span<const std::uint8_t> prefixed_bytes() noexcept {
    const std::int64_t length = varlong();
    if (length < 0) return fail(), std::span<const std::uint8_t>{};
    return bytes(static_cast<std::size_t>(length));
  }

  std::string_view prefixed_text() noexcept {
    const auto found = prefixed_bytes();
    return {reinterpret_cast<const char*>(found.data()), found.size()};
  }

  void fail() noexcept {
    ok_ = false;
    at_ = end_;
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool ok_ = true;
};

}  // namespace livetape::kernel
