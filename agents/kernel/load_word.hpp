#pragma once

#include <cstdint>
#include <cstring>

namespace livetape::kernel {

/// The bytes at a place as a number of this machine's order, wherever the place is.
template <typename Word = std::uint64_t>
[[gnu::always_inline]] inline Word load_word(const void* at) noexcept {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace livetape::kernel
