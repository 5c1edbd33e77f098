#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "window.hpp"

/// By which hours of an exchange a state was folded. A calendar may grow, and what is long past or still to come may
/// change in it; the windows that bars of the state are of, or might have been, may not.
namespace livetape::kernel {

/// The windows that any of a stretch of time is in, its ends among it.
struct SessionHours {
  Span covered{};
  Sessions windows;
  friend bool operator==(const SessionHours&, const SessionHours&) = default;
};

/// By venue and instrument, as in FoldConfig::session_levels.
using SessionHoursOf = std::map<std::pair<std::string, std::string>, SessionHours>;

[[nodiscard]] SessionHours session_hours(const std::vector<Level>& levels, const Span& covered);
/// The hours that an instrument's bars were folded by; null where they are not told.
[[nodiscard]] const SessionHours* hours_of(const SessionHoursOf& all, const std::string& venue,
                                           const std::string& instrument);
/// Whether the levels have other windows over a stretch of time than were told of it: what they are, and were.
[[nodiscard]] std::optional<std::string> changed_hours(const SessionHours& before, const std::vector<Level>& now,
                                                       const Span& time);

}  // namespace livetape::kernel
