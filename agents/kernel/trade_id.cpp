#include "trade_id.hpp"

#include <bit>
#include <charconv>
#include <cstring>
#include <system_error>

namespace livetape::kernel {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::uint64_t kZeros = 0x3030303030303030;

/// Eight digits, the first in the lowest byte, as a number: pairs, then pairs of pairs, then both halves.
constexpr std::uint64_t eight_digits(std::uint64_t digits) noexcept {
  digits = (digits & 0x0f0f0f0f0f0f0f0f) * 2561 >> 8;
  digits = (digits & 0x00ff00ff00ff00ff) * 6553601 >> 16;
  return (digits & 0x0000ffff0000ffff) * 42949672960001 >> 32;
}

constexpr bool are_digits(std::uint64_t bytes) noexcept {
  return ((bytes & 0xf0f0f0f0f0f0f0f0) | ((bytes + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4) ==
         0x3333333333333333;
}

std::uint64_t load(const char* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, kWord);
  return word;
}

bool is_canonical(std::string_view id) noexcept {
  return !id.empty() && id[0] >= '0' && id[0] <= '9' && (id[0] != '0' || id.size() == 1);
}

}  // namespace

TradeIdView TradeIdView::parse_padded(std::string_view id) noexcept {
  if constexpr (std::endian::native == std::endian::little) {
    if (is_canonical(id) && id.size() <= 2 * kWord) {
      // Zeros before it fill the number up to 8 or 16 digits.
      const std::size_t missing = 8 * (id.size() <= kWord ? kWord - id.size() : 2 * kWord - id.size());
      const std::uint64_t first =
          missing == 0 ? load(id.data()) : load(id.data()) << missing | kZeros >> (64 - missing);
      if (id.size() <= kWord) {
        if (!are_digits(first)) return {-1, id};
        return {static_cast<std::int64_t>(eight_digits(first)), {}};
      }
      const std::uint64_t last = load(id.data() + id.size() - kWord);
      if (!are_digits(first) || !are_digits(last)) return {-1, id};
      return {static_cast<std::int64_t>(eight_digits(first) * 100'000'000 + eight_digits(last)), {}};
    }
  }
  return parse(id);
}

TradeIdView TradeIdView::parse(std::string_view id) noexcept {
  TradeIdView parsed;
  if (is_canonical(id)) {
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), parsed.number);
    if (error == std::errc{} && end == id.data() + id.size()) return parsed;
  }
  return {-1, id};
}

}  // namespace livetape::kernel
