#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
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

/// A count of missing trades and more of them, or fewer; whatever a venue's ids are, it stays a count.
inline std::int64_t plus_missing(std::int64_t missing, std::int64_t more) noexcept {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(missing, more, &sum)) return std::numeric_limits<std::int64_t>::max();
  return std::max(sum, std::int64_t{0});
}

/// The ids of a venue that numbers an instrument's trades without a hole: runs of ids that came, each with the time of
/// its first and last trade. What is between two runs is missing.
///
/// A venue may begin to count anew. Its former numbers are kept until no trade of them can come any more, and nothing
/// is missing between them and the new ones: of which a trade is, its time tells.
class IdRuns {
 public:
  /// A trade that is so much newer than the newest, and has a lower id, is of a venue that has begun to count anew: as
  /// the bridge has it, which passes it on.
  static constexpr std::int64_t kCountedAnewNs = 60'000'000'000;

  struct Run {
    std::int64_t first;
    std::int64_t last;
    std::int64_t first_ns;
    std::int64_t last_ns;
    // Of all its trades, and of those of its numbers that are forgotten: the venue's clock need not follow its ids.
    std::int64_t newest_ns;
  };

  /// What an id that came did to the gaps: one may be gone, and up to two may be new.
  struct Change {
    IdGap closed{0, 0, 0};
    IdGap opened[2] = {{0, 0, 0}, {0, 0, 0}};
  };

  /// Whether a trade of this id came, whenever it was.
  [[nodiscard]] bool contains(std::int64_t id) const noexcept;
  /// Whether the trade of this id and time came.
  [[nodiscard]] bool contains(std::int64_t id, std::int64_t time_ns) const noexcept;
  /// Adds an id that follows the last one, and so changes no gap; false where it does not, or may be a former one.
  [[gnu::always_inline]] bool insert_next(std::int64_t id, std::int64_t time_ns) {
    if (has_former_ || runs_.empty() || runs_.back().last != id - 1) return false;
    Run& run = runs_.back();
    run.last = id;
    run.last_ns = time_ns;
    run.newest_ns = run.newest_ns < time_ns ? time_ns : run.newest_ns;
    touch(runs_.size() - 1);
    return true;
  }
  /// Adds an id that did not come at this time yet.
  Change insert(std::int64_t id, std::int64_t time_ns);
  /// Which numbers a trade of this time is numbered by; as long as no id is added, those of another number are others.
  [[nodiscard]] std::size_t numbering(std::int64_t time_ns) const noexcept { return numbers_at(time_ns).first; }
  /// Whether a trade of this id and time would begin numbers of its own.
  [[nodiscard]] bool is_counted_anew(std::int64_t id, std::int64_t time_ns) const noexcept;
  /// Whether there may be trades of former numbers, which the venue used before it began to count anew.
  [[nodiscard]] bool has_former() const noexcept { return has_former_; }
  /// Forgets an id that is there no sooner than one of this time; false where it is not there.
  bool keep(std::int64_t id, std::int64_t time_ns);
  /// Missing ids of the gaps that touch the times [from_ns, to_ns).
  [[nodiscard]] std::int64_t missing_between(std::int64_t from_ns, std::int64_t to_ns) const noexcept;
  /// Forgets the first run once the one behind it is older than this as well: nothing can come any more in between.
  /// Whether it forgot one.
  bool forget_before(std::int64_t time_ns);
  /// The newest time up to which nothing is to be forgotten; the largest int64 when nothing ever is.
  [[nodiscard]] std::int64_t kept_until_ns() const noexcept;

  [[nodiscard]] const std::vector<Run>& runs() const noexcept { return runs_; }
  void restore(std::vector<Run> runs);
  void prefetch_last() const noexcept {
    if (!runs_.empty()) prefetch_object(&runs_.back());
  }

  /// The first run that differs from the changelog; all before it are as it has them.
  std::size_t dirty_from = kClean;
  static constexpr std::size_t kClean = static_cast<std::size_t>(-1);

 private:
  /// The runs from one place up to another: those of the ids since the venue last began to count, or of former ones.
  struct Numbers {
    std::size_t first;
    std::size_t end;
  };

  [[nodiscard]] bool begins_anew(std::size_t run) const noexcept;
  [[nodiscard]] Numbers numbers_before(std::size_t end) const noexcept;
  [[nodiscard]] bool is_much_newer(std::int64_t time_ns, Numbers numbers) const noexcept;
  [[nodiscard]] Numbers numbers_at(std::int64_t time_ns) const noexcept;
  [[nodiscard]] Numbers numbers_with(std::int64_t id) const noexcept;
  [[nodiscard]] std::size_t run_behind(const Numbers& numbers, std::int64_t id) const noexcept;
  [[nodiscard]] bool has(const Numbers& numbers, std::int64_t id) const noexcept;
  [[nodiscard]] IdGap gap_after(std::size_t run) const noexcept;
  [[nodiscard]] bool is_past(std::size_t run, std::int64_t time_ns) const noexcept;
  Change insert_between(const Numbers& numbers, std::int64_t id, std::int64_t time_ns);
  void find_former() noexcept;
  void touch(std::size_t run) noexcept { dirty_from = run < dirty_from ? run : dirty_from; }

  // Ascending and never touching, but where the venue began to count anew: the numbers from there on begin lower than
  // the former ones end.
  std::vector<Run> runs_;
  bool has_former_ = false;
};

}  // namespace livetape::kernel
