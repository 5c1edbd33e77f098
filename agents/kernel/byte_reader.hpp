#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "livetape/big_endian.hpp"
#include "varint.hpp"

namespace livetape::kernel {

using Bytes = std::span<const std::uint8_t>;

/// A cursor over bytes that never reads past their end: after a read that does not fit, `ok` is false for good and
/// every further read gives zero or nothing.
///
/// What is called for every field is inlined always, and what is not takes and gives values: so that a cursor stays in
/// registers. Through memory, each field waits for the one before it to be stored: decoding took a third longer.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> data) noexcept
      : at_(data.data()), end_(data.data() + data.size()) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }

  /// A big-endian integer of the width of `T`.
  template <typename T>
  [[gnu::always_inline]] T big_endian() noexcept {
    const auto raw = bytes(sizeof(T));
    return raw.empty() ? T{} : big_endian_word<T>(raw.data());
  }

  /// Zig-zag and 7 bits a byte: Avro's long and Kafka's varint and varlong.
  [[gnu::always_inline]] std::int64_t varlong() noexcept {
    std::uint64_t zigzag = 0;
    if (at_ != end_ && *at_ < 0x80) {
      zigzag = *at_++;
    } else {
      const Varint found = remaining() >= kMaxVarintBytes ? long_varint(at_) : short_varint(at_, end_);
      if (found.next == nullptr) return fail(), 0;
      at_ = found.next;
      zigzag = found.value;
    }
    return unzigzag(zigzag);
  }

  [[gnu::always_inline]] std::span<const std::uint8_t> bytes(std::size_t count) noexcept {
    if (count > remaining()) return fail(), std::span<const std::uint8_t>{};
    const std::span<const std::uint8_t> found{at_, count};
    at_ += count;
    return found;
  }

  /// Bytes behind their length, as Avro's bytes and string; a negative length fails.
  [[gnu::always_inline]] std::span<const std::uint8_t> prefixed_bytes() noexcept {
    const std::int64_t length = varlong();
    if (length < 0) return fail(), std::span<const std::uint8_t>{};
    return bytes(static_cast<std::size_t>(length));
  }

  [[gnu::always_inline]] std::string_view prefixed_text() noexcept {
    const auto found = prefixed_bytes();
    return {reinterpret_cast<const char*>(found.data()), found.size()};
  }

  /// Where the next read begins, and where none goes beyond.
  [[nodiscard]] const std::uint8_t* at() const noexcept { return at_; }
  [[nodiscard]] const std::uint8_t* end() const noexcept { return end_; }
  /// Goes on at a later place of the same bytes.
  void go_on_at(const std::uint8_t* place) noexcept { at_ = place; }
  /// The bytes from here to where another reader of the same bytes has come.
  [[nodiscard]] std::span<const std::uint8_t> up_to(const ByteReader& later) const noexcept { return {at_, later.at_}; }

  [[gnu::always_inline]] void fail() noexcept {
    ok_ = false;
    at_ = end_;
  }

 private:
  /// A number and where it ends; null when it does not.
  struct Varint {
    const std::uint8_t* next;
    std::uint64_t value;
  };

  /// Where there are 10 bytes or more: eight at once, since most that are no single byte are times of nine.
  static Varint long_varint(const std::uint8_t* at) noexcept {
    constexpr std::uint64_t kMore = 0x8080808080808080;
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    const std::uint64_t ends = ~word & kMore;
    if (ends != 0) return {at + std::countr_zero(ends) / 8 + 1, joined_groups(word & (ends ^ (ends - 1)) & ~kMore)};
    const std::uint64_t low = joined_groups(word & ~kMore) | static_cast<std::uint64_t>(at[8] & 0x7f) << 56;
    if (at[8] < 0x80) return {at + 9, low};
    if (at[9] >= 0x80) return {nullptr, 0};
    return {at + 10, low | static_cast<std::uint64_t>(at[9]) << 63};
  }

  static Varint short_varint(const std::uint8_t* at, const std::uint8_t* end) noexcept {
    std::uint64_t zigzag = 0;
    for (unsigned shift = 0; shift < 64 && at != end; shift += 7) {
      const std::uint8_t byte = *at++;
      zigzag |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return {at, zigzag};
    }
    return {nullptr, 0};
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool ok_ = true;
};

}  // namespace livetape::kernel
