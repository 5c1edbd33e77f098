#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "load_word.hpp"

namespace livetape::kernel {

inline constexpr std::size_t kMaxNameBytes = 256;

/// Names and ids become parts of keys and of JSON: printable, and short enough for a record's buffer.
inline bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

/// Whether two names are the same. They are short, and nearly always they are: two words that overlap are most of them.
[[gnu::always_inline]] inline bool is_same_name(std::string_view a, std::string_view b) noexcept {
  const auto ends_are_same = [&]<typename Word>(Word) {
    const std::size_t last = a.size() - sizeof(Word);
    return load_word<Word>(a.data()) == load_word<Word>(b.data()) &&
           load_word<Word>(a.data() + last) == load_word<Word>(b.data() + last);
  };
  using Long = std::uint64_t;
  using Short = std::uint32_t;
  if (a.size() != b.size()) return false;
  if (a.size() >= sizeof(Long) && a.size() <= 2 * sizeof(Long)) return ends_are_same(Long{});
  if (a.size() >= sizeof(Short) && a.size() < sizeof(Long)) return ends_are_same(Short{});
  return a == b;
}

inline std::string name_flaw(const char* field) {
  return std::string(field) + " is empty, longer than " + std::to_string(kMaxNameBytes) +
         " bytes or not printable ASCII";
}

}  // namespace livetape::kernel
