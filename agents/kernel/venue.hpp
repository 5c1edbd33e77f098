#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
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
    if (series.due_ns() < series.scheduled_ns) schedule_anew(series);
  }

  /// Visits the instruments that the clock has reached, by the times that they were scheduled for, and schedules them
  /// again. One that was scheduled for an earlier time since is left out at the later one.
  template <typename Visit>
  void each_due(Visit visit) {
    while (!due_.empty() && due_.begin()->first <= clock_ns) {
      const auto first = due_.extract(due_.begin());
      last_due_ = nullptr;
      each_series(first.mapped(), [&](Series& waiting) {
        if (waiting.scheduled_ns != first.key()) return;
        waiting.scheduled_ns = kNever;
        visit(waiting);
        schedule(waiting);
      });
    }
  }

  /// The newest time that its clock or a trade told.
  [[nodiscard]] std::int64_t newest_ns() const noexcept { return std::max(clock_ns, newest_event_ns); }

  const std::string name;
  const std::uint64_t number;  // of the venue among the partition's
  const VenueRules& rules;
  std::int64_t clock_ns = kBeginning;
  std::int64_t newest_event_ns = kBeginning;  // of the trades that were there at the last flush
  bool has_forgotten = false;                 // ids of trades, in this partition

 private:
  [[gnu::noinline]] void schedule_anew(Series& series) {
    series.scheduled_ns = series.due_ns();
    if (last_due_ == nullptr || last_due_ns_ != series.due_ns()) {
      last_due_ns_ = series.due_ns();
      last_due_ = &due_[last_due_ns_];
    }
    last_due_->push_back(&series);
  }

  // By time, since the bars of an interval end together: those of all instruments are one entry.
  std::map<std::int64_t, std::vector<Series*>> due_;
  std::int64_t last_due_ns_ = 0;
  std::vector<Series*>* last_due_ = nullptr;
};

inline std::int64_t Series::watermark() const noexcept {
  const std::int64_t own_ns = newest_event_ns_ == kBeginning ? kBeginning : newest_event_ns_ - config_.out_of_order_ns;
  return std::max(own_ns, home.clock_ns);
}

}  // namespace livetape::kernel
