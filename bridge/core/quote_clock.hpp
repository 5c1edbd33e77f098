#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/venue_clock.hpp"

namespace livetape::bridge {

/// The times of quotes that their venue sends without: a join compares them with the times of trades and with the
/// venue's clock, so they are the venue's time when they came, as its newest trade and the steady time since tell it.
class QuoteClock {
 public:
  /// A time of the venue's own, on whatever connection.
  void see(std::int64_t event_time_ns, std::int64_t steady_ns) noexcept { venue_.see(event_time_ns, steady_ns); }

  /// The time of a quote that has just come: never before the last one's, nor before the clock that was told, behind
  /// which it would be late. Before the venue has told any time it is ours.
  [[nodiscard]] std::int64_t time_ns(std::int64_t receive_time_ns, std::int64_t steady_ns,
                                     std::optional<std::int64_t> told_ns) noexcept {
    const auto venue_ns = venue_.time_ns(steady_ns);
    if (!venue_ns) return ours_ns_ = receive_time_ns;
    const std::int64_t time_ns = std::max(*venue_ns, told_ns.value_or(*venue_ns));
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

  VenueClock venue_{0};
  std::int64_t ours_ns_ = kNever;  // of the last quote that had our time
};

}  // namespace livetape::bridge
