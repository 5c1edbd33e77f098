#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace livetape {

/// A big-endian number of the width of `Word`, wherever its place is.
template <typename Word>
[[gnu::always_inline]] inline Word big_endian_word(const void* at) noexcept {
  std::make_unsigned_t<Word> word = 0;
  std::memcpy(&word, at, sizeof word);
  if constexpr (std::endian::native == std::endian::big || sizeof word == 1) return static_cast<Word>(word);
  if constexpr (sizeof word == 2) return static_cast<Word>(__builtin_bswap16(word));
  if constexpr (sizeof word == 4) return static_cast<Word>(__builtin_bswap32(word));
  if constexpr (sizeof word == 8) return static_cast<Word>(__builtin_bswap64(word));
}

}  // namespace livetape
