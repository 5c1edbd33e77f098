#include "id_runs.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace livetape::kernel {

bool IdRuns::begins_anew(std::size_t run) const noexcept {
  return run > 0 && run < runs_.size() && runs_[run].first <= runs_[run - 1].last;
}

bool IdRuns::is_counted_anew(std::int64_t id, std::int64_t time_ns) const noexcept {
  return !runs_.empty() && id < runs_.back().last && is_much_newer(time_ns, numbers_before(runs_.size()));
}

/// Whether a time is so much newer than all trades of these numbers. The highest of them need not be the newest: a
/// correction may give the next number to a trade of long ago.
bool IdRuns::is_much_newer(std::int64_t time_ns, Numbers numbers) const noexcept {
  while (numbers.end > numbers.first && runs_[numbers.end - 1].newest_ns < time_ns - kCountedAnewNs) --numbers.end;
  return numbers.end == numbers.first;
}

/// The numbers whose last run is the one before this.
IdRuns::Numbers IdRuns::numbers_before(std::size_t end) const noexcept {
  if (!has_former_ || end == 0) return {0, end};
  std::size_t first = end - 1;
  while (first > 0 && !begins_anew(first)) --first;
  return {first, end};
}

/// The numbers that a trade of this time is of: former ones where it is not as new as it takes to begin anew.
IdRuns::Numbers IdRuns::numbers_at(std::int64_t time_ns) const noexcept {
  const auto is_former = [&](const Numbers& now) {
    return time_ns < runs_[now.first].first_ns && !is_much_newer(time_ns, numbers_before(now.first));
  };
  Numbers found = numbers_before(runs_.size());
  while (found.first > 0 && is_former(found)) found = numbers_before(found.first);
  return found;
}

std::size_t IdRuns::run_behind(const Numbers& numbers, std::int64_t id) const noexcept {
  const auto begin = runs_.begin();
  const auto behind = std::upper_bound(begin + static_cast<std::ptrdiff_t>(numbers.first),
                                       begin + static_cast<std::ptrdiff_t>(numbers.end), id,
                                       [](std::int64_t wanted, const Run& run) { return wanted < run.first; });
  return static_cast<std::size_t>(behind - begin);
}

bool IdRuns::has(const Numbers& numbers, std::int64_t id) const noexcept {
  const std::size_t behind = run_behind(numbers, id);
  return behind > numbers.first && runs_[behind - 1].last >= id;
}

bool IdRuns::contains(std::int64_t id, std::int64_t time_ns) const noexcept {
  if (runs_.empty() || (!has_former_ && id > runs_.back().last)) return false;
  return !is_counted_anew(id, time_ns) && has(numbers_at(time_ns), id);
}

/// The newest numbers that have an id, or the oldest where none have.
IdRuns::Numbers IdRuns::numbers_with(std::int64_t id) const noexcept {
  Numbers found = numbers_before(runs_.size());
  while (found.first > 0 && !has(found, id)) found = numbers_before(found.first);
  return found;
}

bool IdRuns::contains(std::int64_t id) const noexcept { return has(numbers_with(id), id); }

IdRuns::Change IdRuns::insert(std::int64_t id, std::int64_t time_ns) {
  if (insert_next(id, time_ns)) return {};
  if (!is_counted_anew(id, time_ns)) return insert_between(numbers_at(time_ns), id, time_ns);
  runs_.push_back({id, id, time_ns, time_ns, time_ns});
  has_former_ = true;
  touch(runs_.size() - 1);
  return {};
}

/// Puts an id among the numbers that it is of, and joins the runs that it touches.
IdRuns::Change IdRuns::insert_between(const Numbers& numbers, std::int64_t id, std::int64_t time_ns) {
  Change change;
  const std::size_t after = run_behind(numbers, id);
  const bool has_before = after > numbers.first;
  const bool has_after = after < numbers.end;
  if (has_before && has_after) change.closed = gap_after(after - 1);
  runs_.insert(runs_.begin() + static_cast<std::ptrdiff_t>(after), {id, id, time_ns, time_ns, time_ns});
  if (has_before) change.opened[0] = gap_after(after - 1);
  if (has_after) change.opened[1] = gap_after(after);
  const auto join_next = [&](std::size_t run) {
    const Run next = runs_[run + 1];
    runs_[run].last = next.last;
    runs_[run].last_ns = next.last_ns;
    runs_[run].newest_ns = std::max(runs_[run].newest_ns, next.newest_ns);
    runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(run) + 1);
  };
  if (has_after && change.opened[1].missing == 0) join_next(after);
  if (has_before && change.opened[0].missing == 0) join_next(after - 1);
  touch(has_before ? after - 1 : after);
  return change;
}

IdGap IdRuns::gap_after(std::size_t run) const noexcept {
  const Run& before = runs_[run];
  const Run& after = runs_[run + 1];
  return {before.last_ns, after.first_ns, after.first - before.last - 1};
}

bool IdRuns::keep(std::int64_t id, std::int64_t time_ns) {
  const Numbers numbers = numbers_with(id);
  if (!has(numbers, id)) return false;
  const std::size_t kept = run_behind(numbers, id) - 1;
  runs_[kept].newest_ns = std::max(runs_[kept].newest_ns, time_ns);
  touch(kept);
  return true;
}

std::int64_t IdRuns::missing_between(std::int64_t from_ns, std::int64_t to_ns) const noexcept {
  std::int64_t missing = 0;
  for (std::size_t run = 0; run + 1 < runs_.size(); ++run) {
    if (!begins_anew(run + 1)) missing = plus_missing(missing, gap_after(run).missing_in(from_ns, to_ns));
  }
  return missing;
}

/// Whether nothing can come any more between a run and the next, or be told by the last of former numbers.
bool IdRuns::is_past(std::size_t run, std::int64_t time_ns) const noexcept {
  if (begins_anew(run + 1)) return runs_[run].newest_ns < time_ns - kCountedAnewNs;
  return runs_[run].newest_ns < time_ns && runs_[run + 1].newest_ns < time_ns;
}

bool IdRuns::forget_before(std::int64_t time_ns) {
  std::size_t old = 0;
  for (; old + 1 < runs_.size() && is_past(old, time_ns); ++old) {
    if (!begins_anew(old + 1)) runs_[old + 1].newest_ns = std::max(runs_[old + 1].newest_ns, runs_[old].newest_ns);
  }
  if (old == 0) return false;
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(old));
  find_former();
  touch(0);
  return true;
}

std::int64_t IdRuns::kept_until_ns() const noexcept {
  if (runs_.size() < 2) return std::numeric_limits<std::int64_t>::max();
  if (begins_anew(1)) return runs_[0].newest_ns + kCountedAnewNs;
  return std::max(runs_[0].newest_ns, runs_[1].newest_ns);
}

void IdRuns::restore(std::vector<Run> runs) {
  runs_ = std::move(runs);
  find_former();
}

void IdRuns::find_former() noexcept {
  has_former_ = false;
  for (std::size_t run = 1; run < runs_.size(); ++run) has_former_ |= begins_anew(run);
}

}  // namespace livetape::kernel
