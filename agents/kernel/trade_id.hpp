#pragma once

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "load_word.hpp"

namespace livetape::kernel {

namespace detail {

inline constexpr std::size_t kWord = sizeof(std::uint64_t);
inline constexpr std::uint64_t kZeros = 0x3030303030303030;

/// Eight digits, a byte each and the first in the lowest, as a number: pairs, then pairs of pairs, then both halves.
constexpr std::uint64_t eight_digits(std::uint64_t digits) noexcept {
  digits = digits * 2561 >> 8;
  digits = (digits & 0x00ff00ff00ff00ff) * 6553601 >> 16;
  return (digits & 0x0000ffff0000ffff) * 42949672960001 >> 32;
}

/// Whether each byte is below 10.
constexpr bool are_digits(std::uint64_t bytes) noexcept {
  return ((bytes | (bytes + 0x0606060606060606)) & 0xf0f0f0f0f0f0f0f0) == 0;
}

inline bool is_canonical(std::string_view id) noexcept {
  return !id.empty() && id[0] >= '0' && id[0] <= '9' && (id[0] != '0' || id.size() == 1);
}

}  // namespace detail

/// A venue's trade id as a record has it: a number where it is a canonical non-negative decimal, else its text.
struct TradeIdView {
  std::int64_t number = -1;
  std::string_view text;  // empty when there is a number

  static TradeIdView parse(std::string_view id) noexcept;
  /// The same where 16 bytes may be read from the id's first on, whatever they are.
  static TradeIdView parse_padded(std::string_view id) noexcept;
  [[nodiscard]] bool is_number() const noexcept { return number >= 0; }
  [[nodiscard]] std::string as_text() const { return is_number() ? std::to_string(number) : std::string(text); }
  friend bool operator==(const TradeIdView&, const TradeIdView&) noexcept = default;
};

[[gnu::always_inline]] inline TradeIdView TradeIdView::parse_padded(std::string_view id) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr std::size_t kWord = detail::kWord;
    if (id.size() - 1 < 2 * kWord && (id[0] != '0' || id.size() == 1)) {
      // What comes in below the first digits are zeros, which fill the number up to 8 or 16 digits.
      const std::size_t missing = (id.size() <= kWord ? kWord : 2 * kWord) - id.size();
      const std::uint64_t first = (load_word(id.data()) ^ detail::kZeros) << (8 * missing);
      if (id.size() <= kWord) {
        if (!detail::are_digits(first)) return {-1, id};
        return {static_cast<std::int64_t>(detail::eight_digits(first)), {}};
      }
      const std::uint64_t last = load_word(id.data() + id.size() - kWord) ^ detail::kZeros;
      if (!detail::are_digits(first) || !detail::are_digits(last)) return {-1, id};
      return {static_cast<std::int64_t>(detail::eight_digits(first) * 100'000'000 + detail::eight_digits(last)), {}};
    }
  }
  return parse(id);
}

/// Room for the digits of a number.
using TradeIdText = std::array<char, 20>;

/// The same, kept. Nearly all venues have numbers: those cost no string, and neither does an id that is not there.
class TradeId {
 public:
  TradeId() = default;
  explicit TradeId(TradeIdView id) { *this = id; }
  TradeId(const TradeId& other) { *this = other; }
  TradeId(TradeId&&) noexcept = default;
  ~TradeId() = default;
  TradeId& operator=(TradeId&&) noexcept = default;
  TradeId& operator=(const TradeId& other) {
    number_ = other.number_;
    text_ = other.text_ ? std::make_unique<std::string>(*other.text_) : nullptr;
    return *this;
  }
  [[gnu::always_inline]] TradeId& operator=(const TradeIdView& id) {
    number_ = id.number;
    if (!id.is_number() || text_) text_ = id.text.empty() ? nullptr : std::make_unique<std::string>(id.text);
    return *this;
  }
  friend bool operator==(const TradeId& a, const TradeId& b) noexcept {
    return a.number_ == b.number_ && (a.text_ && b.text_ ? *a.text_ == *b.text_ : a.text_ == b.text_);
  }
  /// The id as it came, its digits in `room`; empty when there is none.
  [[nodiscard]] std::string_view text_in(TradeIdText& room) const noexcept {
    if (text_ || number_ < 0) return text_ ? std::string_view(*text_) : std::string_view();
    const char* const end = std::to_chars(room.data(), room.data() + room.size(), number_).ptr;
    return {room.data(), static_cast<std::size_t>(end - room.data())};
  }

 private:
  std::int64_t number_ = -1;
  std::unique_ptr<std::string> text_;
};

}  // namespace livetape::kernel
