#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace livetape::bridge {

/// Waiting times between attempts: doubling up to a cap, each anywhere in its upper half, so that many clients that
/// lost a venue at once do not come back at once.
class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] std::chrono::milliseconds next() {
    const auto bound = wait_;
    wait_ = std::min(wait_ * 2, kCap);
    return std::chrono::milliseconds(
        std::uniform_int_distribution<std::int64_t>(bound.count() / 2, bound.count())(random_));
  }
  void reset() noexcept { wait_ = kFirst; }

 private:
  static constexpr std::chrono::milliseconds kFirst{250};
  static constexpr std::chrono::milliseconds kCap{30'000};

  std::chrono::milliseconds wait_ = kFirst;
  std::mt19937_64 random_;
};

}  // namespace livetape::bridge
