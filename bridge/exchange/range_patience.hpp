#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "exchange/contiguous_ids.hpp"
#include "exchange/hold_rule.hpp"

namespace livetape::bridge {

/// How long a range of trades is asked for that a history answers without. It may be behind the stream, and then has
/// none of what follows the range either: it is asked again after ever longer waits, for as long as newer trades wait.
/// Where it has trades behind the range, a few times are enough. Times are steady nanoseconds.
class RangePatience {
 public:
  static constexpr std::int64_t kLongestNs = HoldRule::kLongestNs;
  static constexpr int kMostTries = 3;  // of a history that has newer trades

  /// `first_wait` is the time that a trade may take into the history.
  explicit RangePatience(std::chrono::nanoseconds first_wait) : first_wait_ns_(first_wait.count()) {}

  /// The history has answered without a single trade of the range. Whether it is asked again; if not, it is given up.
  [[nodiscard]] bool go_on(const MissingIds& range, bool has_newer, std::int64_t steady_ns) {
    if (range_ != range) {
      range_ = range;
      since_ns_ = steady_ns;
      wait_ns_ = first_wait_ns_;
      tries_ = 0;
    }
    if (has_newer) ++tries_;
    const std::int64_t left_ns = since_ns_ + kLongestNs - steady_ns;
    if (tries_ == kMostTries || left_ns <= 0) {
      range_.reset();
      return false;
    }
    again_ns_ = steady_ns + std::min(wait_ns_, left_ns);
    wait_ns_ *= 2;
    return true;
  }
  /// For how long the range is not asked for.
  [[nodiscard]] std::chrono::nanoseconds wait(const MissingIds& range, std::int64_t steady_ns) const {
    return std::chrono::nanoseconds(range_ == range ? std::max<std::int64_t>(again_ns_ - steady_ns, 0) : 0);
  }

 private:
  std::int64_t first_wait_ns_;
  std::optional<MissingIds> range_;  // what the history was asked for and did not have
  std::int64_t since_ns_ = 0;        // when it answered without it first
  std::int64_t again_ns_ = 0;        // when it is asked again
  std::int64_t wait_ns_ = 0;         // how long it is left alone the next time
  int tries_ = 0;                    // how often it had newer trades
};

}  // namespace livetape::bridge
