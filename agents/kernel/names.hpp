#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace livetape::kernel {

inline constexpr std::size_t kMaxNameBytes = 256;

/// Names and ids become parts of keys and of JSON: printable, and short enough for a record's buffer.
inline bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

inline std::string name_flaw(const char* field) {
  return std::string(field) + " is empty, longer than " + std::to_string(kMaxNameBytes) + " bytes or not printable ASCII";
}

}  // namespace livetape::kernel
