#include "session_hours.hpp"

#include <algorithm>
#include <span>

namespace livetape::kernel {
namespace {

std::span<const Span> windows_over(const std::vector<Span>& sessions, const Span& time) {
  const auto first = std::ranges::upper_bound(sessions, time.start_ns, {}, &Span::end_ns);
  const auto end = std::ranges::upper_bound(sessions, time.end_ns, {}, &Span::start_ns);
  return first < end ? std::span(first, end) : std::span<const Span>();
}

std::string told(std::span<const Span> windows) {
  std::string text;
  for (const Span& window : windows) {
    text += (text.empty() ? "" : ", ") + std::to_string(window.start_ns) + " to " + std::to_string(window.end_ns);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

SessionHours session_hours(const std::vector<Level>& levels, const Span& covered) {
  SessionHours hours{covered, {}};
  for (const Level& level : levels) {
    if (!level.has_sessions()) continue;
    const std::span<const Span> windows = windows_over(level.sessions, covered);
    hours.windows[level.name].assign(windows.begin(), windows.end());
  }
  return hours;
}

const SessionHours* hours_of(const SessionHoursOf& all, const std::string& venue, const std::string& instrument) {
  auto found = all.find({venue, instrument});
  if (found == all.end()) found = all.find({venue, ""});
  return found == all.end() ? nullptr : &found->second;
}

std::optional<std::string> changed_hours(const SessionHours& before, const std::vector<Level>& now, const Span& time) {
  const Span told_of{std::max(time.start_ns, before.covered.start_ns), std::min(time.end_ns, before.covered.end_ns)};
  if (told_of.start_ns > told_of.end_ns) return std::nullopt;
  for (const auto& [name, sessions] : before.windows) {
    const auto level = std::ranges::find(now, name, &Level::name);
    const std::span<const Span> then = windows_over(sessions, told_of);
    const std::span<const Span> wanted =
        level == now.end() ? std::span<const Span>() : windows_over(level->sessions, told_of);
    if (!std::ranges::equal(then, wanted)) return name + " from " + told(then) + ", and now from " + told(wanted);
  }
  return std::nullopt;
}

}  // namespace livetape::kernel
