#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "prefetch.hpp"

namespace livetape::kernel {

/// What two neighbouring trades tell of those between them: how many ids are missing, and when each of the two was.
struct IdGap {
  std::int64_t before_ns;
  std::int64_t after_ns;
  std::int64_t missing;

  /// How many of them are missing from a window [from_ns, to_ns): all when the two trades span any of it.
  [[nodiscard]] std::int64_t missing_in(std::int64_t from_ns, std::int64_t to_ns) const noexcept {
    return std::min(before_ns, after_ns) < to_ns && std::max(before_ns, after_ns) >= from_ns ? missing : 0;
  }
};

/// The ids of a venue that numbers an instrument's trades without a hole: runs of ids that came, each with the time of
/// its first and last trade. What is between two runs is missing.
class IdRuns {
 public:
  struct Run {
    std::int64_t first;
    std::int64_t last;
    std::int64_t first_ns;
    std::int64_t last_ns;
    std::int64_t newest_ns;  // of all its trades: the venue's clock need not follow its ids
  };

  /// What an id that came did to the gaps: one may be gone, and up to two may be new.
  struct Change {
    IdGap closed{0, 0, 0};
    IdGap opened[2] = {{0, 0, 0}, {0, 0, 0}};
  };

  [[nodiscard]] bool contains(std::int64_t id) const noexcept;
  /// Adds an id that follows the last one, and so changes no gap; false where it does not.
  [[gnu::always_inline]] bool insert_next(std::int64_t id, std::int64_t time_ns) {
    if (runs_.empty() || runs_.back().last != id - 1) return false;
    Run& run = runs_.back();
    run.last = id;
    run.last_ns = time_ns;
    run.newest_ns = run.newest_ns < time_ns ? time_ns : run.newest_ns;
    touch(runs_.size() - 1);
    return true;
  }
  /// Adds an id that is not there yet.
  Change insert(std::int64_t id, std::int64_t time_ns);
  /// Forgets an id that is there no sooner than one of this time; false where it is not there.
  bool keep(std::int64_t id, std::int64_t time_ns);
  /// Missing ids of the gaps that touch the times [from_ns, to_ns).
  [[nodiscard]] std::int64_t missing_between(std::int64_t from_ns, std::int64_t to_ns) const noexcept;
  /// Forgets the first run once the one behind it is older than this as well: nothing can come any more in between.
  void forget_before(std::int64_t time_ns);
  /// The newest time up to which nothing is to be forgotten; the largest int64 when nothing ever is.
  [[nodiscard]] std::int64_t kept_until_ns() const noexcept;

  [[nodiscard]] const std::vector<Run>& runs() const noexcept { return runs_; }
  void restore(std::vector<Run> runs) { runs_ = std::move(runs); }
  void prefetch_last() const noexcept {
    if (!runs_.empty()) prefetch_object(&runs_.back());
  }

  /// The first run that differs from the changelog; all before it are as it has them.
  std::size_t dirty_from = kClean;
  static constexpr std::size_t kClean = static_cast<std::size_t>(-1);

 private:
  [[nodiscard]] IdGap gap_after(std::size_t run) const noexcept;
  Change insert_between(std::size_t after, std::int64_t id, std::int64_t time_ns);
  void touch(std::size_t run) noexcept { dirty_from = run < dirty_from ? run : dirty_from; }

  std::vector<Run> runs_;  // ascending, never touching
};

}  // namespace livetape::kernel
