#include "nic/card_clock.hpp"

#include <cstdlib>

namespace livetape::bridge {

void CardClock::see(const Reading& reading) noexcept {
  const std::int64_t took_ns = reading.after_ns - reading.before_ns;
  if (took_ns < 0 || took_ns > kLongestReadNs) return;
  const Pair now{reading.ticks, reading.before_ns + took_ns / 2};
  is_as_foretold_ = std::abs(foretell(now.ticks) - now.utc_ns) <= kStepNs;
  rate_ = rate_between(newest_, now);
  newest_ = now;
}

/// Where a clock was stepped between the two it is no clock's, and foretells the next reading wrongly.
std::int64_t CardClock::rate_between(const Pair& from, const Pair& to) noexcept {
  const auto ticks = static_cast<std::int64_t>(to.ticks - from.ticks);
  if (from.utc_ns == 0 || ticks == 0) return 0;
  return static_cast<std::int64_t>((Int128{to.utc_ns - from.utc_ns} << kRateBits) / ticks);
}

}  // namespace livetape::bridge
