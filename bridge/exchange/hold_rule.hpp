#pragma once

#include <cstdint>

namespace livetape::bridge {

/// How long an instrument's newer trades wait for those that are missing before them. Bars must not wait for ever: what
/// is found later makes revisions of them. But a trade that is behind the newest one by more than the correction
/// horizon, a quarter of an hour where nobody says otherwise, is in no bar at all: behind a long outage the newer ones
/// wait for as long as the history goes on answering.
class HoldRule {
 public:
  static constexpr std::int64_t kLongestNs = 30'000'000'000;
  static constexpr std::int64_t kLongAgoNs = 300'000'000'000;

  /// The venue's history has answered, of whatever instrument, in steady nanoseconds: they are asked for one after the
  /// other.
  void see_history(std::int64_t steady_ns) noexcept { history_ns_ = steady_ns; }
  /// Whether they have waited long enough: since `held_ns`, in steady nanoseconds, for trades behind one that happened
  /// so long ago.
  [[nodiscard]] bool is_over(std::int64_t held_ns, std::int64_t behind_ns, std::int64_t steady_ns) const noexcept {
    if (steady_ns - held_ns < kLongestNs) return false;
    const bool goes_on = history_ns_ >= held_ns && steady_ns - history_ns_ < kLongestNs;
    return behind_ns < kLongAgoNs || !goes_on;
  }

 private:
  std::int64_t history_ns_ = 0;
};

}  // namespace livetape::bridge
