#include "core/time.hpp"

#include <algorithm>
#include <chrono>

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

/// Two or four digits and nothing else.
std::optional<int> digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

/// A point and any digits; what is below a nanosecond is left out.
std::optional<std::int64_t> fraction_ns(std::string_view text) {
  if (text.size() < 2 || text.front() != '.') return std::nullopt;
  std::int64_t value = 0;
  std::int64_t unit_ns = kSecondNs;
  for (const char c : text.substr(1)) {
    if (c < '0' || c > '9') return std::nullopt;
    unit_ns /= 10;
    value += unit_ns * (c - '0');
  }
  return value;
}

/// How many seconds local time is ahead of UTC: `Z`, or hours and minutes as in `-05:30`.
std::optional<int> ahead_s(std::string_view text) {
  constexpr std::string_view kShape = "+00:00";
  if (text == "Z") return 0;
  if (text.size() != kShape.size() || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const auto hours = digits(text.substr(1, 2)), minutes = digits(text.substr(4, 2));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (*hours * 3600 + *minutes * 60);
}

/// Its whole seconds since 1970, and nanoseconds since the last of them.
struct Rfc3339 {
  std::int64_t seconds;
  std::int64_t below_second_ns;
};

std::optional<Rfc3339> read_rfc3339(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  const std::size_t zone_at = text.find_first_of("Z+-", kShape.size());
  if (zone_at == std::string_view::npos) return std::nullopt;
  for (const std::size_t at : {4, 7, 10, 13, 16}) {
    if (text[at] != kShape[at]) return std::nullopt;
  }
  const auto year_number = digits(text.substr(0, 4)), month_number = digits(text.substr(5, 2));
  const auto day_number = digits(text.substr(8, 2)), hour = digits(text.substr(11, 2));
  const auto minute = digits(text.substr(14, 2)), second = digits(text.substr(17, 2));
  if (!year_number || !month_number || !day_number || !hour || !minute || !second) return std::nullopt;
  const year_month_day date{year{*year_number}, month{static_cast<unsigned>(*month_number)},
                            day{static_cast<unsigned>(*day_number)}};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;

  const std::string_view fraction = text.substr(kShape.size(), zone_at - kShape.size());
  const auto below_second_ns = fraction.empty() ? 0 : fraction_ns(fraction);
  const auto ahead = ahead_s(text.substr(zone_at));
  if (!below_second_ns || !ahead) return std::nullopt;
  const std::int64_t days_in_seconds = sys_days{date}.time_since_epoch().count() * std::int64_t{86'400};
  const std::int64_t of_day = std::int64_t{*hour} * 3600 + std::int64_t{*minute} * 60 + *second;
  return Rfc3339{days_in_seconds + of_day - *ahead, *below_second_ns};
}

/// A number with zeros before it.
std::string padded_number(std::int64_t number, std::size_t places) {
  const std::string digits_of = std::to_string(number);
  return std::string(places - std::min(places, digits_of.size()), '0') + digits_of;
}

}  // namespace

std::int64_t utc_now_ns() noexcept {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t steady_now_ns() noexcept {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

std::optional<std::int64_t> parse_rfc3339_ns(std::string_view text) noexcept {
  const auto time = read_rfc3339(text);
  const auto whole_ns = time ? units_as_ns(time->seconds, kSecondNs) : std::nullopt;
  std::int64_t time_ns = 0;
  if (!whole_ns || __builtin_add_overflow(*whole_ns, time->below_second_ns, &time_ns)) return std::nullopt;
  return time_ns;
}

bool is_rfc3339(std::string_view text) noexcept { return read_rfc3339(text).has_value(); }

std::string as_rfc3339(std::int64_t time_ns) {
  using namespace std::chrono;
  const sys_seconds time{seconds(time_ns / kSecondNs)};
  const auto day_of = floor<days>(time);
  const year_month_day date{day_of};
  const hh_mm_ss of_day{time - day_of};
  return padded_number(static_cast<int>(date.year()), 4) + "-" + padded_number(static_cast<unsigned>(date.month()), 2) +
         "-" + padded_number(static_cast<unsigned>(date.day()), 2) + "T" + padded_number(of_day.hours().count(), 2) +
         ":" + padded_number(of_day.minutes().count(), 2) + ":" + padded_number(of_day.seconds().count(), 2) + "Z";
}

std::optional<std::int64_t> units_as_ns(std::int64_t count, std::int64_t unit_ns) noexcept {
  std::int64_t ns = 0;
  if (__builtin_mul_overflow(count, unit_ns, &ns)) return std::nullopt;
  return ns;
}

}  // namespace livetape::bridge
