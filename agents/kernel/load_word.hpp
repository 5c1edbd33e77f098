#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace livetape::kernel {

/// The bytes at a place as a number of this machine's order, wherever the place is.
template <typename Word = std::uint64_t>
[[gnu::always_inline]] inline Word load_word(const void* at) noexcept {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// The same of a big-endian number.
template <typename Word>
[[gnu::always_inline]] inline Word big_endian_word(const void* at) noexcept {
  const auto word = load_word<std::make_unsigned_t<Word>>(at);
  if constexpr (std::endian::native == std::endian::big || sizeof word == 1) return static_cast<Word>(word);
  if constexpr (sizeof word == 2) return static_cast<Word>(__builtin_bswap16(word));
  if constexpr (sizeof word == 4) return static_cast<Word>(__builtin_bswap32(word));
  if constexpr (sizeof word == 8) return static_cast<Word>(__builtin_bswap64(word));
}

}  // namespace livetape::kernel
