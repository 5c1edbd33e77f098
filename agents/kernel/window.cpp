#include "window.hpp"

#include <limits>
#include <stdexcept>
#include <utility>

namespace livetape::kernel {
namespace {

constexpr std::int64_t kDayNs = 86'400'000'000'000;

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

Level checked(const Interval& interval) {
  const auto& [name, length_ns, hop_ns] = interval;
  if (hop_ns <= 0 || kDayNs % hop_ns != 0) refuse(name + " does not divide a day");
  if (length_ns > kDayNs || length_ns < hop_ns || length_ns % hop_ns != 0) {
    refuse(name + " is no multiple of its hop within a day");
  }
  return {name, length_ns, hop_ns};
}

Level checked(const std::string& name, const std::vector<Span>& sessions) {
  std::int64_t end_ns = std::numeric_limits<std::int64_t>::min();
  for (const Span& session : sessions) {
    if (session.start_ns < end_ns || session.end_ns <= session.start_ns) refuse(name + " has sessions that overlap");
    end_ns = session.end_ns;
  }
  return {name, 0, 0, sessions};
}

/// Whether every window of the level begins and ends where windows of this length do.
bool is_made_of(const Level& level, std::int64_t length_ns) {
  const auto divides = [&](std::int64_t time_ns) { return time_ns % length_ns == 0; };
  return divides(level.length_ns) && divides(level.hop_ns) &&
         std::ranges::all_of(level.sessions,
                             [&](const Span& each) { return divides(each.start_ns) && divides(each.end_ns); });
}

void add(std::vector<Level>& levels, Level level) {
  for (std::size_t finer = levels.size(); finer-- > 0 && !levels.empty();) {
    if (levels[finer].is_hopping() || levels[finer].has_sessions()) continue;
    if (!is_made_of(level, levels[finer].length_ns)) continue;
    level.child = finer;
    levels[finer].parents.push_back(levels.size());
    break;
  }
  if (level.child == Level::kNone && !levels.empty())
    refuse(level.name + " is not made of windows of a finer interval");
  levels.push_back(std::move(level));
}

}  // namespace

std::int64_t Level::first_start_reaching(std::int64_t time_ns) const noexcept {
  if (!has_sessions()) return floor_to(time_ns, hop_ns) - length_ns + hop_ns;
  const auto session = session_after(time_ns);
  return session == sessions.end() ? std::numeric_limits<std::int64_t>::max() : session->start_ns;
}

std::vector<Level> make_levels(const std::vector<Interval>& intervals, const Sessions& sessions) {
  std::vector<Level> levels;
  std::vector<Level> hopping;
  for (const Interval& interval : intervals) {
    Level level = checked(interval);
    if (sessions.contains(level.name)) {
      if (levels.empty()) refuse(level.name + " is the base interval, which no sessions can replace");
      continue;
    }
    if (level.is_hopping()) {
      hopping.push_back(std::move(level));
      continue;
    }
    if (!levels.empty() && level.length_ns <= levels.back().length_ns) {
      refuse("intervals must come finest first: " + level.name);
    }
    add(levels, std::move(level));
  }
  if (levels.empty()) refuse("there must be at least one interval that does not hop");
  for (Level& level : hopping) add(levels, std::move(level));
  for (const auto& [name, windows] : sessions) add(levels, checked(name, windows));
  return levels;
}

const std::string& names_of(const LevelNames& names, const LevelNames::key_type& whose) {
  auto found = names.find(whose);
  if (found == names.end()) found = names.find({whose.first, ""});
  if (found == names.end()) found = names.find({"", ""});
  return found->second;
}

LevelNames FoldConfig::level_names() const {
  const auto described = [](const std::vector<Level>& all) {
    std::string text;
    for (const Level& level : all) {
      text += (text.empty() ? "" : ", ") + level.name + (level.has_sessions() ? " by hours" : "");
    }
    return text;
  };
  LevelNames names{{{"", ""}, described(levels)}};
  for (const auto& [whose, own_levels] : session_levels) names[whose] = described(own_levels);
  return names;
}

RulesByVenue FoldConfig::rules() const {
  RulesByVenue all = venues;
  all.insert_or_assign("", other_venues);
  return all;
}

const std::vector<Level>& FoldConfig::levels_of(const std::string& venue, const std::string& instrument) const {
  if (session_levels.empty()) return levels;
  auto found = session_levels.find(std::pair(venue, instrument));
  if (found == session_levels.end()) found = session_levels.find(std::pair(venue, std::string()));
  return found == session_levels.end() ? levels : found->second;
}

std::int64_t FoldConfig::time_bound_ns() const noexcept {
  return std::numeric_limits<std::int64_t>::max() - 2 * kDayNs - out_of_order_ns - grace_ns - horizon_ns - max_ahead_ns;
}

}  // namespace livetape::kernel
