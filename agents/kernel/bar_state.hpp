#pragma once

#include <cstdint>

#include "bar.hpp"
#include "byte_reader.hpp"
#include "state_text.hpp"

/// A bar as bytes: in a record or page of the changelog, and in memory when it is final.
namespace livetape::kernel {

inline constexpr std::uint8_t kValueVersion = 4;
inline constexpr std::uint8_t kOldestValueVersion = 1;
inline constexpr std::uint8_t kFirstWithSides = 2;    // sides, missing trades, and what trades count for
inline constexpr std::uint8_t kFirstWithReturns = 3;  // of coarser bars
inline constexpr std::uint8_t kFirstWithPages = 4;

/// Appends a bar. Its interval and start are elsewhere, and what the changelog has of it is not in it.
void write_bar_state(StateText& text, const Bar& bar);
/// Reads what a release of this version has written; the reader is not ok where that is not well formed.
[[nodiscard]] Bar read_bar_state(ByteReader& in, std::int64_t start_ns, std::uint8_t version);

}  // namespace livetape::kernel
