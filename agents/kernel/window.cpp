#include "window.hpp"

#include <limits>
#include <stdexcept>
#include <utility>

namespace livetape::kernel {
namespace {

constexpr std::int64_t kDayNs = 86'400'000'000'000;

std::size_t largest_divisor(const std::vector<Level>& levels, std::int64_t length_ns) {
  for (std::size_t i = levels.size(); i-- > 0;) {
    if (length_ns % levels[i].length_ns == 0) return i;
  }
  return Level::kNone;
}

}  // namespace

std::vector<Level> make_levels(const std::vector<std::pair<std::string, std::int64_t>>& intervals) {
  if (intervals.empty()) throw std::invalid_argument("there must be at least one interval");
  std::vector<Level> levels;
  for (const auto& [name, length_ns] : intervals) {
    if (length_ns <= 0 || kDayNs % length_ns != 0) throw std::invalid_argument(name + " does not divide a day");
    if (!levels.empty() && length_ns <= levels.back().length_ns) {
      throw std::invalid_argument("intervals must come finest first: " + name);
    }
    Level level{name, length_ns};
    if (!levels.empty()) {
      level.child = largest_divisor(levels, length_ns);
      if (level.child == Level::kNone) throw std::invalid_argument(name + " is no multiple of a finer interval");
      levels[level.child].parents.push_back(levels.size());
    }
    levels.push_back(std::move(level));
  }
  return levels;
}

std::int64_t FoldConfig::time_bound_ns() const noexcept {
  return std::numeric_limits<std::int64_t>::max() - 2 * kDayNs - out_of_order_ns - grace_ns - horizon_ns - max_ahead_ns;
}

}  // namespace livetape::kernel
