#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace livetape::bridge {

/// How far a venue's time has come, by the newest venue time seen and the steady time since: a quiet venue moves on,
/// and an old recording has an old clock. It never goes back.
class VenueClock {
 public:
  /// What a venue's clock may be behind ours, for no other reason than that no two clocks are alike.
  static constexpr std::int64_t kMostBehindOursNs = 1'000'000'000;

  explicit VenueClock(std::int64_t delay_ns) noexcept : delay_ns_(delay_ns) {}

  void see(std::int64_t event_time_ns, std::int64_t steady_ns) noexcept {
    if (event_time_ns <= newest_ns_) return;
    newest_ns_ = event_time_ns;
    seen_at_ns_ = steady_ns;
  }

  /// By a steady time up to which the venue is known to have told all; nothing before the first venue time.
  [[nodiscard]] std::optional<std::int64_t> time_ns(std::int64_t steady_ns) noexcept {
    if (newest_ns_ == kNever) return std::nullopt;
    const std::int64_t since_ns = std::max<std::int64_t>(0, steady_ns - seen_at_ns_);
    told_ns_ = std::max(told_ns_, newest_ns_ + since_ns - delay_ns_);
    return told_ns_;
  }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

  std::int64_t delay_ns_;
  std::int64_t newest_ns_ = kNever;
  std::int64_t seen_at_ns_ = 0;
  std::int64_t told_ns_ = kNever;
};

}  // namespace livetape::bridge
