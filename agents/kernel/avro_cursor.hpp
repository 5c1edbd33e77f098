#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "byte_reader.hpp"
#include "livetape/decimal.hpp"
#include "livetape/uint256.hpp"
#include "varint.hpp"

namespace livetape::kernel {

/// Writes Avro's binary encoding where there is room for the most that it can take, which the caller has seen to: a
/// number may write up to `kMaxNumberBytes` and leave what is behind its end to the next. Checking each field for room
/// was a third of what a bar's record cost.
class AvroCursor {
 public:
  static constexpr std::size_t kMaxNumberBytes = 40;  // a notional behind its length, and more

  explicit AvroCursor(std::uint8_t* at) noexcept : at_(at) {}

  [[nodiscard]] std::uint8_t* at() const noexcept { return at_; }

  [[gnu::always_inline]] AvroCursor& raw(std::uint8_t byte) noexcept {
    *at_++ = byte;
    return *this;
  }
  /// A flag, as an int of 0 or 1 and as the branch of a union of null and a value.
  [[gnu::always_inline]] AvroCursor& flag(bool is_set) noexcept { return raw(is_set ? 2 : 0); }
  [[gnu::always_inline]] AvroCursor& number(std::int64_t value) noexcept {
    at_ = put_varint(at_, value);
    return *this;
  }
  [[gnu::always_inline]] AvroCursor& decimal(Int128 value) noexcept {
    const std::size_t length =
        encode_decimal(value, std::span<std::uint8_t, kMaxDecimalBytes>(at_ + 1, kMaxDecimalBytes));
    return sized(length);
  }
  [[gnu::always_inline]] AvroCursor& notional(const UInt256& value) noexcept {
    if (value.high() == 0 && static_cast<Int128>(value.low()) >= 0) return decimal(static_cast<Int128>(value.low()));
    const std::size_t length =
        encode_notional(value, std::span<std::uint8_t, kMaxNotionalBytes>(at_ + 1, kMaxNotionalBytes));
    return sized(length);
  }
  [[gnu::always_inline]] AvroCursor& text(std::string_view value) noexcept {
    number(static_cast<std::int64_t>(value.size()));
    return bytes({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
  }
  /// Short texts are most: two words that overlap, and no call.
  [[gnu::always_inline]] AvroCursor& bytes(std::span<const std::uint8_t> value) noexcept {
    const std::size_t size = value.size();
    if (size >= sizeof(std::uint64_t) && size <= 2 * sizeof(std::uint64_t)) {
      std::memcpy(at_, value.data(), sizeof(std::uint64_t));
      std::memcpy(at_ + size - sizeof(std::uint64_t), value.data() + size - sizeof(std::uint64_t),
                  sizeof(std::uint64_t));
    } else if (size < sizeof(std::uint64_t)) {
      for (std::size_t i = 0; i < size; ++i) at_[i] = value[i];
    } else {
      std::memcpy(at_, value.data(), size);
    }
    at_ += size;
    return *this;
  }

 private:
  [[gnu::always_inline]] AvroCursor& sized(std::size_t length) noexcept {
    *at_ = static_cast<std::uint8_t>(length << 1);
    at_ += 1 + length;
    return *this;
  }

  std::uint8_t* at_;
};

}  // namespace livetape::kernel
