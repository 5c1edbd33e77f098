#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "venue_rules.hpp"

namespace livetape::kernel {

/// The watermark before there is one.
inline constexpr std::int64_t kBeginning = std::numeric_limits<std::int64_t>::min();

/// The largest multiple of `length` that is not above `time`, for negative times as well.
constexpr std::int64_t floor_to(std::int64_t time, std::int64_t length) noexcept {
  const std::int64_t rest = time % length;
  return time - rest - (rest < 0 ? length : 0);
}

/// One interval of bars, and its place in the tree of merges.
struct Level {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::string name;
  std::int64_t length_ns;
  std::size_t child = kNone;           // the level whose bars merge into this one's; none for the base
  std::vector<std::size_t> parents{};  // the levels whose bars this one's merge into
};

/// How trades become bars. Times in nanoseconds.
struct FoldConfig {
  std::vector<Level> levels;  // finest first; the first is the base
  std::int64_t out_of_order_ns;
  std::int64_t grace_ns;
  std::int64_t horizon_ns;
  std::int64_t max_ahead_ns;
  RulesByVenue venues{};
  VenueRules other_venues{};

  /// Event times outside of this bound could overflow when a window's end, grace or horizon is added.
  [[nodiscard]] std::int64_t time_bound_ns() const noexcept;
  /// Whether a base window began before the horizon, so that no trade of it is accepted any more.
  [[nodiscard]] bool is_late(std::int64_t base_start_ns, std::int64_t watermark_ns) const noexcept {
    return watermark_ns != kBeginning && base_start_ns < watermark_ns - horizon_ns;
  }
};

/// Links each interval to the largest finer one that divides it.
/// Throws std::invalid_argument when intervals are not ascending, do not divide a day, or have no finer one to merge.
std::vector<Level> make_levels(const std::vector<std::pair<std::string, std::int64_t>>& intervals);

}  // namespace livetape::kernel
