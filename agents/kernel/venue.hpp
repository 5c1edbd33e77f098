#pragma once

#include <cstdint>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "series.hpp"
#include "venue_rules.hpp"

namespace livetape::kernel {

/// A venue's last clock in this partition, and which of its instruments a later clock will have to look at.
struct Venue {
  Venue(std::string its_name, std::uint64_t its_number, const VenueRules& its_rules)
      : name(std::move(its_name)), number(its_number), rules(its_rules) {}

  /// Sees to it that a clock that reaches the series' due time finds it.
  void schedule(Series& series) {
    if (series.due_ns() >= series.scheduled_ns) return;
    series.scheduled_ns = series.due_ns();
    due.emplace(series.due_ns(), &series);
  }

  const std::string name;
  const std::uint64_t number;  // of the venue among the partition's
  const VenueRules& rules;
  std::int64_t clock_ns = kBeginning;
  // An entry may be earlier than what the series waits for by now: it is looked at and scheduled again.
  using Entry = std::pair<std::int64_t, Series*>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> due;
};

}  // namespace livetape::kernel
