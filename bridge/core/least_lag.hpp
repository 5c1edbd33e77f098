#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

namespace livetape::bridge {

/// The least that a venue's trades came after their event time in about the last minute. That is what the two clocks
/// differ by, and the shortest way between them: when it grows, either a clock drifts or everything has become late,
/// which no single trade would tell.
class LeastLag {
 public:
  /// Takes a trade's lag, at a steady time; the least that is known now.
  std::int64_t see(std::int64_t lag_ns, std::int64_t steady_ns) noexcept {
    const std::int64_t turn = steady_ns / kTurnNs;
    if (turn != turn_) {
      const std::int64_t passed = std::min<std::int64_t>(turn - turn_, kTurns);
      for (std::int64_t i = 1; i <= passed; ++i) least_[place(turn_ + i)] = kNone;
      turn_ = turn;
    }
    std::int64_t& least = least_[place(turn)];
    least = std::min(least, lag_ns);
    return *std::ranges::min_element(least_);
  }

 private:
  static constexpr std::int64_t kTurnNs = 10'000'000'000;
  static constexpr std::int64_t kTurns = 6;
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();

  [[nodiscard]] static std::size_t place(std::int64_t turn) noexcept { return static_cast<std::size_t>(turn % kTurns); }

  std::array<std::int64_t, kTurns> least_{kNone, kNone, kNone, kNone, kNone, kNone};
  std::int64_t turn_ = 0;
};

}  // namespace livetape::bridge
