#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "livetape/big_endian.hpp"
#include "livetape/int128.hpp"
#include "livetape/uint256.hpp"

/// Exact decimals: a price or size is a 128-bit integer count of 10^-18, as decimal(38,18) of the schemas has it.
namespace livetape {

inline constexpr int kDecimalScale = 18;
inline constexpr int kDecimalPrecision = 38;
inline constexpr UInt128 kDecimalLimit = power_of_ten(kDecimalPrecision);  // exclusive, of the absolute value
inline constexpr std::size_t kMaxDecimalBytes = 16;
inline constexpr std::size_t kMaxNotionalBytes = 33;

enum class DecimalError : std::uint8_t {
  none,
  malformed,     // no decimal number in JSON's notation
  too_precise,   // a digit other than 0 beyond the 18th decimal place
  out_of_range,  // 10^20 or more
};

struct ParsedDecimal {
  Int128 unscaled = 0;
  DecimalError error = DecimalError::none;
};

namespace detail {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// The significant digits of a number, without the zeros on either side, and the power of ten of the last of them.
class Digits {
 public:
  constexpr void push(char digit, int exponent) noexcept {
    if (digit == '0') {
      zeros_ += count_ > 0 ? 1 : 0;
      return;
    }
    count_ += zeros_ + 1;
    if (count_ <= kDecimalPrecision) {
      for (; zeros_ > 0; --zeros_) value_ *= 10;
      value_ = value_ * 10 + static_cast<unsigned>(digit - '0');
    }
    zeros_ = 0;
    last_exponent_ = exponent;
  }

  [[nodiscard]] constexpr ParsedDecimal scaled(bool negative, int exponent) const noexcept {
    if (count_ == 0) return {};
    const int shift = last_exponent_ + exponent + kDecimalScale;
    if (shift < 0) return {0, DecimalError::too_precise};
    if (count_ + shift > kDecimalPrecision) return {0, DecimalError::out_of_range};
    const auto unscaled = static_cast<Int128>(value_ * power_of_ten(shift));
    return {negative ? -unscaled : unscaled, DecimalError::none};
  }

 private:
  UInt128 value_ = 0;
  int count_ = 0;  // digits from the first that is not 0 to the last that is not 0
  int zeros_ = 0;  // zeros since then
  int last_exponent_ = 0;
};

/// A big-endian number of 1 to 8 bytes: two loads that overlap, instead of one for each byte.
inline std::uint64_t big_endian(std::span<const std::uint8_t> bytes) noexcept {
  const std::size_t size = bytes.size();
  if (size == sizeof(std::uint64_t)) return big_endian_word<std::uint64_t>(bytes.data());
  if (size >= sizeof(std::uint32_t)) {
    const std::uint64_t first = big_endian_word<std::uint32_t>(bytes.data());
    return first << (8 * (size - sizeof(std::uint32_t))) |
           big_endian_word<std::uint32_t>(bytes.data() + size - sizeof(std::uint32_t));
  }
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = (value << 8) | byte;
  return value;
}

inline constexpr int kExponentBound = 100'000;  // far beyond any that fits, and sums of two still fit an int

/// Reads `e-8` at a place of a text and moves on behind it, or to npos when there
/// is no number behind the `e`.
constexpr int read_exponent(std::string_view text, std::size_t& at) noexcept {
  if (at == text.size() || (text[at] != 'e' && text[at] != 'E')) return 0;
  ++at;
  const bool is_signed = at < text.size() && (text[at] == '-' || text[at] == '+');
  const bool is_negative = is_signed && text[at] == '-';
  at += is_signed ? 1 : 0;
  int exponent = 0;
  const std::size_t first = at;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    exponent = std::min(exponent * 10 + (text[at] - '0'), kExponentBound);
  }
  if (at == first) at = std::string_view::npos;
  return is_negative ? -exponent : exponent;
}

/// A number of a few digits above nothing, with no exponent, as nearly all are: they fit a word. False for any other.
constexpr bool parse_short_decimal(std::string_view text, Int128& unscaled) noexcept {
  constexpr std::size_t kMostDigits = kDecimalScale;
  if (text.empty() || text.size() > kMostDigits || !is_digit(text.front()) || !is_digit(text.back())) return false;
  std::uint64_t value = 0;
  int places = -1;  // behind the point, once there is one
  for (const char c : text) {
    if (is_digit(c)) {
      value = value * 10 + static_cast<unsigned>(c - '0');
      places += places >= 0 ? 1 : 0;
    } else if (c == '.' && places < 0) {
      places = 0;
    } else {
      return false;
    }
  }
  unscaled = static_cast<Int128>(value * power_of_ten(kDecimalScale - std::max(places, 0)));
  return true;
}

}  // namespace detail

/// Reads a number in JSON's notation, such as `61234.10` or `1e-8`, exactly or not at all.
constexpr ParsedDecimal parse_decimal(std::string_view text) noexcept {
  constexpr ParsedDecimal malformed{0, DecimalError::malformed};
  if (Int128 unscaled = 0; detail::parse_short_decimal(text, unscaled)) return {unscaled};
  std::size_t at = 0;
  const bool negative = !text.empty() && text[0] == '-';
  at += negative ? 1 : 0;
  if (text.size() > static_cast<std::size_t>(detail::kExponentBound)) return malformed;

  std::size_t whole_end = at;
  while (whole_end < text.size() && detail::is_digit(text[whole_end])) ++whole_end;
  if (whole_end == at) return malformed;
  detail::Digits digits;
  for (; at < whole_end; ++at) digits.push(text[at], static_cast<int>(whole_end - at) - 1);

  if (at < text.size() && text[at] == '.') {
    const std::size_t point = at++;
    for (; at < text.size() && detail::is_digit(text[at]); ++at) digits.push(text[at], -static_cast<int>(at - point));
    if (at == point + 1) return malformed;
  }

  const int exponent = detail::read_exponent(text, at);
  return at == text.size() ? digits.scaled(negative, exponent) : malformed;
}

namespace detail {

inline void put_big_endian(std::uint64_t word, std::uint8_t* at) noexcept {
  if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
  std::memcpy(at, &word, sizeof word);
}

inline void put_big_endian(UInt128 value, std::uint8_t* at) noexcept {
  put_big_endian(static_cast<std::uint64_t>(value >> 64), at);
  put_big_endian(static_cast<std::uint64_t>(value), at + sizeof(std::uint64_t));
}

/// How many bits a number has from its highest that is set on.
constexpr std::size_t bit_width(UInt128 value) noexcept {
  const auto high = static_cast<std::uint64_t>(value >> 64);
  const auto of_half = [](std::uint64_t half) { return static_cast<std::size_t>(std::bit_width(half)); };
  return high != 0 ? 64 + of_half(high) : of_half(static_cast<std::uint64_t>(value));
}

}  // namespace detail

/// Writes the shortest big-endian two's complement form, as Avro's decimal has it; returns its length, at least 1.
/// What is behind that is of no meaning.
inline std::size_t encode_decimal(Int128 unscaled, std::span<std::uint8_t, kMaxDecimalBytes> out) noexcept {
  const std::size_t length =
      detail::bit_width(static_cast<UInt128>(unscaled ^ (unscaled >> 127))) / 8 + 1;  // a sign bit
  detail::put_big_endian(static_cast<UInt128>(unscaled) << (8 * (kMaxDecimalBytes - length)), out.data());
  return length;
}

/// The same for a non-negative 256-bit number, which may need a leading zero byte.
inline std::size_t encode_notional(const UInt256& notional, std::span<std::uint8_t, kMaxNotionalBytes> out) noexcept {
  const UInt128 high = notional.high();
  const std::size_t bits = high != 0 ? 128 + detail::bit_width(high) : detail::bit_width(notional.low());
  const std::size_t length = bits / 8 + 1;
  std::array<std::uint8_t, 2 * kMaxNotionalBytes> bytes{};  // so that as many may be copied from any of the first half
  detail::put_big_endian(high, bytes.data() + 1);
  detail::put_big_endian(notional.low(), bytes.data() + 1 + sizeof high);
  std::memcpy(out.data(), bytes.data() + kMaxNotionalBytes - length, kMaxNotionalBytes);
  return length;
}

/// Reads Avro's decimal bytes; false when they are empty or the number is not below 10^38.
inline bool decode_decimal(std::span<const std::uint8_t> bytes, Int128& unscaled) noexcept {
  if (bytes.empty()) return false;
  const bool is_negative = (bytes[0] & 0x80) != 0;
  const std::uint8_t sign = is_negative ? 0xff : 0x00;
  while (bytes.size() > kMaxDecimalBytes && bytes[0] == sign) bytes = bytes.subspan(1);
  if (bytes.size() > kMaxDecimalBytes) return false;
  if ((bytes[0] & 0x80) != (sign & 0x80)) return false;  // a stripped sign byte was not only a sign
  constexpr std::size_t kHalf = sizeof(std::uint64_t);
  const std::uint64_t high = bytes.size() > kHalf ? detail::big_endian(bytes.first(bytes.size() - kHalf)) : 0;
  const std::uint64_t low = detail::big_endian(bytes.size() > kHalf ? bytes.last(kHalf) : bytes);
  UInt128 value = (UInt128{high} << 64) | low;
  if (is_negative && bytes.size() < kMaxDecimalBytes) value |= ~UInt128{0} << (8 * bytes.size());
  unscaled = static_cast<Int128>(value);
  const UInt128 magnitude = unscaled < 0 ? -value : value;
  return magnitude < kDecimalLimit;
}

/// The same for 1 to 16 bytes behind which so many may be read that there are 16, whatever those are: no step of it
/// depends on the length.
[[gnu::always_inline]] inline bool decode_padded_decimal(std::span<const std::uint8_t> bytes,
                                                         Int128& unscaled) noexcept {
  const UInt128 high = big_endian_word<std::uint64_t>(bytes.data());
  const UInt128 low = big_endian_word<std::uint64_t>(bytes.data() + sizeof(std::uint64_t));
  unscaled = static_cast<Int128>(high << 64 | low) >> (8 * (kMaxDecimalBytes - bytes.size()));
  const auto value = static_cast<UInt128>(unscaled);
  return (unscaled < 0 ? -value : value) < kDecimalLimit;
}

}  // namespace livetape
