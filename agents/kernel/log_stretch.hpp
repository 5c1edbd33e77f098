#pragma once

#include <cstdint>

/// Stretches of the log, of so many offsets each. What grows with the log, and never moves in it, has a record in the
/// changelog for each: that stays well below 256 KiB at 20 bytes an offset.
namespace livetape::kernel {

inline constexpr std::int64_t kStretchOffsets = 8'192;

[[nodiscard]] constexpr std::int64_t stretch_of(std::int64_t offset) noexcept { return offset / kStretchOffsets; }

}  // namespace livetape::kernel
