#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/time.hpp"

namespace livetape::bridge {

/// From when on, in nanoseconds since 1970, an exchange's clocks are so many seconds ahead of UTC.
struct UtcOffset {
  std::int64_t from_ns = 0;
  std::int32_t seconds = 0;
};

/// Which day a feed speaks of that tells times since midnight only.
class ExchangeDay {
 public:
  /// `offsets` are in order of time and not empty; the first holds before it as well. A day that is given, as its
  /// midnight in nanoseconds since 1970, is every session's; else it is told by the clock.
  explicit ExchangeDay(std::vector<UtcOffset> offsets, std::optional<std::int64_t> fixed_midnight_ns = std::nullopt)
      : offsets_(std::move(offsets)), fixed_midnight_ns_(fixed_midnight_ns) {}

  /// Midnight of the last day on which a time since midnight is no more than a minute ahead of now: a session that is
  /// still heard after midnight is yesterday's.
  [[nodiscard]] std::int64_t midnight_ns(std::int64_t now_ns, std::int64_t since_midnight_ns) const noexcept {
    if (fixed_midnight_ns_) return *fixed_midnight_ns_;
    const std::int64_t local_ns = now_ns + offset_ns(now_ns);
    std::int64_t day = local_ns / kDayNs + 1;
    while (is_of_the_future(utc_of_midnight(day) + since_midnight_ns, now_ns)) --day;
    return utc_of_midnight(day);
  }

 private:
  static constexpr std::int64_t kSecondNs = 1'000'000'000;
  static constexpr std::int64_t kDayNs = 86'400 * kSecondNs;

  [[nodiscard]] std::int64_t offset_ns(std::int64_t utc_ns) const noexcept {
    std::int64_t seconds = offsets_.front().seconds;
    for (const UtcOffset& offset : offsets_) {
      if (offset.from_ns <= utc_ns) seconds = offset.seconds;
    }
    return seconds * kSecondNs;
  }
  /// Clocks change at night, so that a day's midnight may have another offset than its noon.
  [[nodiscard]] std::int64_t utc_of_midnight(std::int64_t day) const noexcept {
    const std::int64_t guess_ns = day * kDayNs - offset_ns(day * kDayNs);
    return day * kDayNs - offset_ns(guess_ns);
  }

  std::vector<UtcOffset> offsets_;
  std::optional<std::int64_t> fixed_midnight_ns_;
};

}  // namespace livetape::bridge
