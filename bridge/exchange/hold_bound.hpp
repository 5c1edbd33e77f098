#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>

#include "exchange/hold_rule.hpp"

namespace livetape::bridge {

/// How many trades of a venue wait for those that are missing before them, and whose go on where that is too few.
class HoldBound {
 public:
  static constexpr std::size_t kMost = std::size_t{1} << 19;  // of 190 bytes each in memory

  /// An instrument whose trades wait.
  struct Waiting {
    std::uint32_t instrument = 0;
    std::size_t trades = 0;      // that wait
    std::int64_t behind_ns = 0;  // how long ago the last trade before the gap happened
  };

  /// Whose trades go on with a gap, out of one at least: that of a short gap, whose bars are revised, before that of a
  /// long one, which may be too late for any bar; of either the one that makes most room.
  [[nodiscard]] static std::uint32_t first_to_go(std::span<const Waiting> waiting) noexcept {
    const auto rank = [](const Waiting& one) {
      return std::tuple(one.trades > 0, one.behind_ns < HoldRule::kLongAgoNs, one.trades);
    };
    return std::ranges::max_element(waiting, {}, rank)->instrument;
  }
};

}  // namespace livetape::bridge
