#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>

namespace livetape::bridge {

/// Waiting times between attempts: doubling up to a cap, each anywhere in its upper half, so that many clients that
/// lost a venue at once do not come back at once.
class Backoff {
 public:
  static constexpr std::chrono::milliseconds kFirst{250};
  static constexpr std::chrono::milliseconds kCap{30'000};
  /// A connection that held this long was a good one. A shorter one says nothing: a venue that takes connections and
  /// drops them must not be asked four times a second.
  static constexpr std::chrono::seconds kProven{10};

  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  /// The wait after a connection that held for this long, 0 when there was none.
  [[nodiscard]] std::chrono::milliseconds next(std::chrono::steady_clock::duration held) {
    if (held >= kProven) wait_ = kFirst;
    const auto bound = wait_;
    wait_ = std::min(wait_ * 2, kCap);
    return std::chrono::milliseconds(
        std::uniform_int_distribution<std::int64_t>(bound.count() / 2, bound.count())(random_));
  }

 private:
  std::chrono::milliseconds wait_ = kFirst;
  std::mt19937_64 random_;
};

/// When the next attempt comes, for a log.
[[nodiscard]] inline std::string next_attempt(std::chrono::milliseconds wait) {
  return "; next attempt in " + std::to_string(wait.count()) + " ms";
}

}  // namespace livetape::bridge
