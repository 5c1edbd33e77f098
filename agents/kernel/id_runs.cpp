#include "id_runs.hpp"

#include <algorithm>
#include <limits>

namespace livetape::kernel {

bool IdRuns::contains(std::int64_t id) const noexcept {
  if (runs_.empty() || id > runs_.back().last) return false;
  const auto after = std::ranges::upper_bound(runs_, id, {}, &Run::first);
  return after != runs_.begin() && std::prev(after)->last >= id;
}

IdRuns::Change IdRuns::insert(std::int64_t id, std::int64_t time_ns) {
  if (insert_next(id, time_ns)) return {};
  const auto after = std::ranges::upper_bound(runs_, id, {}, &Run::first);
  return insert_between(static_cast<std::size_t>(after - runs_.begin()), id, time_ns);
}

/// Puts an id before the run at `after`, and joins the runs that it touches.
IdRuns::Change IdRuns::insert_between(std::size_t after, std::int64_t id, std::int64_t time_ns) {
  Change change;
  const bool has_before = after > 0;
  const bool has_after = after < runs_.size();
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
  touch(has_before ? after - 1 : 0);
  return change;
}

IdGap IdRuns::gap_after(std::size_t run) const noexcept {
  const Run& before = runs_[run];
  const Run& after = runs_[run + 1];
  return {before.last_ns, after.first_ns, after.first - before.last - 1};
}

bool IdRuns::keep(std::int64_t id, std::int64_t time_ns) {
  if (!contains(id)) return false;
  const auto after = std::ranges::upper_bound(runs_, id, {}, &Run::first);
  Run& run = *std::prev(after);
  run.newest_ns = std::max(run.newest_ns, time_ns);
  touch(static_cast<std::size_t>(after - runs_.begin()) - 1);
  return true;
}

std::int64_t IdRuns::missing_between(std::int64_t from_ns, std::int64_t to_ns) const noexcept {
  std::int64_t missing = 0;
  for (std::size_t run = 0; run + 1 < runs_.size(); ++run) missing += gap_after(run).missing_in(from_ns, to_ns);
  return missing;
}

void IdRuns::forget_before(std::int64_t time_ns) {
  std::size_t old = 0;
  while (old + 1 < runs_.size() && runs_[old].newest_ns < time_ns && runs_[old + 1].newest_ns < time_ns) ++old;
  if (old == 0) return;
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(old));
  touch(0);
}

std::int64_t IdRuns::kept_until_ns() const noexcept {
  if (runs_.size() < 2) return std::numeric_limits<std::int64_t>::max();
  return std::max(runs_[0].newest_ns, runs_[1].newest_ns);
}

}  // namespace livetape::kernel
