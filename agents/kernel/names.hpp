#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace livetape::kernel {

inline constexpr std::size_t kMaxNameBytes = 256;

/// Names and ids become parts of keys and of JSON: printable, and short enough for a record's buffer.
inline bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

/// Whether two names are the same. They are short, and nearly always they are: two words that overlap are most of them.
inline bool is_same_name(std::string_view a, std::string_view b) noexcept {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  if (a.size() != b.size()) return false;
  if (a.size() < kWord || a.size() > 2 * kWord) return a == b;
  const auto word = [](const char* at) {
    std::uint64_t loaded = 0;
    std::memcpy(&loaded, at, kWord);
    return loaded;
  };
  const std::size_t last = a.size() - kWord;
  return word(a.data()) == word(b.data()) && word(a.data() + last) == word(b.data() + last);
}

inline std::string name_flaw(const char* field) {
  return std::string(field) + " is empty, longer than " + std::to_string(kMaxNameBytes) +
         " bytes or not printable ASCII";
}

}  // namespace livetape::kernel
