#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/least_lag.hpp"
#include "core/venue_clock.hpp"

namespace livetape::bridge {

/// The times of quotes that their venue sends without: a join compares them with the times of trades and with the
/// venue's clock, so they are the venue's time when they came, as its trades and the steady time since tell it. It is
/// told by the trade of the last minute that came fastest: by one that was slow a quote would seem to be older than the
/// trade that made it, and to be what that trade met.
class QuoteClock {
 public:
  /// What the fastest trade tells beyond the newest counts up to here: trades are slower by more than that where all
  /// that comes has waited on its way, quotes as well, or where a recording is played slowly.
  static constexpr std::int64_t kMostFasterNs = 20'000'000;

  /// How long before the trade that made it a quote comes.
  explicit QuoteClock(std::int64_t lead_ns) noexcept : lead_ns_(lead_ns) {}

  /// A time of the venue's own, on whatever connection.
  void see(std::int64_t event_time_ns, std::int64_t steady_ns) noexcept {
    venue_.see(event_time_ns, steady_ns);
    least_lag_ns_ = lag_.see(steady_ns - event_time_ns, steady_ns);
  }

  /// The time of a quote that has just come: never before the last one's, nor before the clock that was told, behind
  /// which it would be late. Before the venue has told any time it is ours.
  [[nodiscard]] std::int64_t time_ns(std::int64_t receive_time_ns, std::int64_t steady_ns,
                                     std::optional<std::int64_t> told_ns) noexcept {
    const auto newest_ns = venue_.time_ns(steady_ns);
    if (!newest_ns) return ours_ns_ = receive_time_ns;
    const std::int64_t fastest_ns =
        std::clamp(steady_ns - least_lag_ns_, *newest_ns, *newest_ns + kMostFasterNs) + lead_ns_;
    const std::int64_t time_ns = last_ns_ = std::max({last_ns_, fastest_ns, told_ns.value_or(kNever)});
    // A clock of ours that is a little ahead is waited for, or its quote would hide those that came after it. One that
    // is far ahead, as of a recording that is played, would have them all at one time.
    if (ours_ns_ > time_ns + VenueClock::kMostBehindOursNs) ours_ns_ = kNever;
    return std::max(time_ns, ours_ns_);
  }
  /// The venue's time; nothing before it has told any.
  [[nodiscard]] std::optional<std::int64_t> venue_time_ns(std::int64_t steady_ns) noexcept {
    return venue_.time_ns(steady_ns);
  }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

  std::int64_t lead_ns_;
  VenueClock venue_{0};
  LeastLag lag_;
  std::int64_t least_lag_ns_ = 0;  // by steady time, which is no clock's; of the venue's first time on
  std::int64_t last_ns_ = kNever;  // of the last quote, by the venue's time
  std::int64_t ours_ns_ = kNever;  // of the last quote that had our time
};

}  // namespace livetape::bridge
