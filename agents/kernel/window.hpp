#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "venue_rules.hpp"

namespace livetape::kernel {

/// The watermark before there is one.
inline constexpr std::int64_t kBeginning = std::numeric_limits<std::int64_t>::min();

/// The largest multiple of `length` that is not above `time`, for negative times as well.
constexpr std::int64_t floor_to(std::int64_t time, std::int64_t length) noexcept {
  const std::int64_t rest = time % length;
  return time - rest - (rest < 0 ? length : 0);
}

/// The time [start_ns, end_ns).
struct Span {
  std::int64_t start_ns;
  std::int64_t end_ns;
  friend bool operator==(const Span&, const Span&) noexcept = default;
};

/// One interval of bars, and its place in the tree of merges. Its windows begin at the multiples of `hop_ns`, or they
/// are `sessions`: an exchange's hours, which leave times out.
struct Level {
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::string name;
  std::int64_t length_ns;              // 0 of sessions
  std::int64_t hop_ns;                 // from a window's start to the next one's
  std::vector<Span> sessions{};        // by start; none overlaps another
  std::size_t child = kNone;           // the level whose bars merge into this one's; none for the base
  std::vector<std::size_t> parents{};  // the levels whose bars this one's merge into

  /// Whether windows overlap. Such a bar is summed up when it becomes final: until then its children have everything.
  [[nodiscard]] bool is_hopping() const noexcept { return hop_ns < length_ns; }
  [[nodiscard]] bool has_sessions() const noexcept { return length_ns == 0; }
  /// The end of the window of this start.
  [[nodiscard]] std::int64_t end_ns(std::int64_t start_ns) const noexcept {
    return has_sessions() ? session_after(start_ns)->end_ns : start_ns + length_ns;
  }
  [[nodiscard]] bool has_window(std::int64_t start_ns) const noexcept {
    bool is_there = false;
    each_start_at(start_ns, [&](std::int64_t found_ns) { is_there |= found_ns == start_ns; });
    return is_there;
  }
  /// The start of the first window that ends after this time; the largest number when there is none.
  [[nodiscard]] std::int64_t first_start_reaching(std::int64_t time_ns) const noexcept;
  /// Calls `visit` with the start of each window that a time is in: one, several of hopping windows, none between
  /// sessions.
  template <typename Visit>
  void each_start_at(std::int64_t time_ns, Visit visit) const {
    if (has_sessions()) {
      const auto session = session_after(time_ns);
      if (session != sessions.end() && session->start_ns <= time_ns) visit(session->start_ns);
      return;
    }
    const std::int64_t last_ns = floor_to(time_ns, hop_ns);
    for (std::int64_t start_ns = last_ns - length_ns + hop_ns; start_ns <= last_ns; start_ns += hop_ns) visit(start_ns);
  }

 private:
  /// The first session that ends after this time.
  [[nodiscard]] std::vector<Span>::const_iterator session_after(std::int64_t time_ns) const noexcept {
    return std::ranges::upper_bound(sessions, time_ns, {}, &Span::end_ns);
  }
};

/// The windows of an exchange's hours by the name of their bars. A name that is an interval's takes its place.
using Sessions = std::map<std::string, std::vector<Span>>;
/// By venue and instrument, as in FoldConfig::session_levels, and under no name for all others: names of intervals.
using LevelNames = std::map<std::pair<std::string, std::string>, std::string>;
/// The names of a venue's or an instrument's intervals.
[[nodiscard]] const std::string& names_of(const LevelNames& names, const LevelNames::key_type& whose);
/// Name, length and hop.
using Interval = std::tuple<std::string, std::int64_t, std::int64_t>;

/// How trades become bars. Times in nanoseconds.
struct FoldConfig {
  std::vector<Level> levels;  // finest first, then those that overlap; the first is the base
  std::int64_t out_of_order_ns;
  std::int64_t grace_ns;
  std::int64_t horizon_ns;
  std::int64_t max_ahead_ns;
  RulesByVenue venues{};
  VenueRules other_venues{};
  // Of the venues with an exchange's hours, by venue and instrument; no instrument for all others of the venue.
  std::map<std::pair<std::string, std::string>, std::vector<Level>, std::less<>> session_levels{};

  [[nodiscard]] LevelNames level_names() const;
  /// Of all venues, those that are not named among them.
  [[nodiscard]] RulesByVenue rules() const;
  /// Whether windows of some interval overlap.
  [[nodiscard]] bool has_hopping() const noexcept { return std::ranges::any_of(levels, &Level::is_hopping); }
  /// The levels of an instrument's bars.
  [[nodiscard]] const std::vector<Level>& levels_of(const std::string& venue, const std::string& instrument) const;
  /// Event times outside of this bound could overflow when a window's end, grace or horizon is added.
  [[nodiscard]] std::int64_t time_bound_ns() const noexcept;
  /// Whether a base window began before the horizon, so that no trade of it is accepted any more.
  [[nodiscard]] bool is_late(std::int64_t base_start_ns, std::int64_t watermark_ns) const noexcept {
    return watermark_ns != kBeginning && base_start_ns < watermark_ns - horizon_ns;
  }
};

/// Links each interval to the largest finer one whose windows it is made of.
/// Throws std::invalid_argument when intervals are not ascending, do not divide a day, or have no finer one to merge.
std::vector<Level> make_levels(const std::vector<Interval>& intervals, const Sessions& sessions = {});

}  // namespace livetape::kernel
