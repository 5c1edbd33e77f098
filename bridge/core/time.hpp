#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace livetape::bridge {

/// Nanoseconds since 1970-01-01T00:00:00Z by this machine's clock.
[[nodiscard]] std::int64_t utc_now_ns() noexcept;
/// Nanoseconds that only ever grow, from an unknown start.
[[nodiscard]] std::int64_t steady_now_ns() noexcept;

inline constexpr std::int64_t kMinuteNs = 60'000'000'000;

/// Whether a venue's time is too far ahead of when we heard of it to be true: the fold refuses such trades as well.
[[nodiscard]] constexpr bool is_of_the_future(std::int64_t event_time_ns, std::int64_t receive_time_ns) noexcept {
  return event_time_ns > receive_time_ns + kMinuteNs;
}

/// `2024-08-08T23:54:00.123456Z`, or with an offset such as `+00:00` (RFC 3339), in nanoseconds since 1970; what is
/// below a nanosecond is cut off. Nothing when it is no such time or int64 cannot hold it.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339_ns(std::string_view text) noexcept;

/// Whether a text is such a time, which int64 may not hold.
[[nodiscard]] bool is_rfc3339(std::string_view text) noexcept;

/// A time after 1970 in the same notation, to the second: `2024-08-08T23:54:00Z`.
[[nodiscard]] std::string as_rfc3339(std::int64_t time_ns);

/// A count of units of time as nanoseconds; nothing when int64 cannot hold them.
[[nodiscard]] std::optional<std::int64_t> units_as_ns(std::int64_t count, std::int64_t unit_ns) noexcept;

}  // namespace livetape::bridge
