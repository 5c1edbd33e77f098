#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bar.hpp"
#include "prefetch.hpp"
#include "trade_ids.hpp"
#include "window.hpp"

/// The bars of one instrument, on every level.
namespace livetape::kernel {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kBeginning = std::numeric_limits<std::int64_t>::min();

struct Venue;
class Series;

/// One bar by where it is.
struct BarRef {
  Series* series;
  std::size_t level;
  std::int64_t start_ns;
};

/// Chunks of ids by where they are.
struct IdChunkRef {
  Series* series;
  std::int64_t bucket_ns;
  IdKind kind;
  std::size_t chunk;
};

/// A bar that was evicted before a flush could publish it.
struct Farewell {
  Series* series;
  std::size_t level;
  Bar bar;
};

/// What changed since the last flush. The lists name what changed; only what is gone is kept as a copy.
struct Changes {
  std::vector<BarRef> dirty;      // to be written to the changelog
  std::vector<BarRef> announced;  // to be published
  std::vector<Farewell> farewells;
  std::vector<Series*> ids;  // whose ids changed
  std::vector<BarRef> evicted;
  std::vector<IdChunkRef> evicted_ids;
  std::vector<Series*> live;  // whose forming bars changed since the last live record
  std::int64_t finals = 0;
  std::int64_t revisions = 0;
};

/// Bars of one level by start. All final ones come before all forming ones, since a watermark decides.
class LevelBars {
 public:
  [[nodiscard]] Bar* find(std::int64_t start_ns);
  /// A bar that is not there yet; it belongs to the final ones or to the forming ones.
  Bar& make(std::int64_t start_ns, bool is_final);
  /// Makes the first forming bar the last final one.
  Bar& finalise_first();

  [[nodiscard]] bool has_forming() const noexcept { return forming_ < bars_.size(); }
  [[nodiscard]] Bar& first_forming() { return bars_[forming_]; }
  [[nodiscard]] bool empty() const noexcept { return first_ == bars_.size(); }
  [[nodiscard]] Bar& front() { return bars_[first_]; }
  void pop_front();
  void prefetch_newest() const noexcept {
    if (!bars_.empty()) prefetch_object(bars_.data() + bars_.size() - 1);
  }

  /// Forming bars that start in [from, to).
  [[nodiscard]] std::span<Bar> forming(std::int64_t from_ns, std::int64_t to_ns);
  [[nodiscard]] std::span<Bar> forming() { return {bars_.data() + forming_, bars_.size() - forming_}; }
  [[nodiscard]] std::span<Bar> all() { return {bars_.data() + first_, bars_.size() - first_}; }
  /// Puts a bar of the changelog in its place, over an older version of it; `restore_forming` is to follow.
  void restore(Bar bar);
  /// Takes a bar out of the state that is being restored.
  void restore_without(std::int64_t start_ns);
  /// Finds out again which bars are forming, after a restore.
  void restore_forming();

 private:
  [[nodiscard]] std::vector<Bar>::iterator position(std::int64_t start_ns);

  std::vector<Bar> bars_;  // [first_, forming_) final, [forming_, end) forming
  std::size_t first_ = 0;  // those before it are evicted, and removed from time to time
  std::size_t forming_ = 0;
};

/// All bars of one instrument. Trades are folded into the base bar; a coarser bar is the sum of its final children,
/// kept in the bar, and of its forming ones, added when somebody asks. So a trade costs the same however many intervals
/// there are, and the changelog need not hold a coarser bar each time that a trade comes.
class Series {
 public:
  Series(std::string venue, std::string instrument, Venue& home, const FoldConfig& config);

  /// Whether a trade of this time is refused as too late: its base window began before the horizon.
  [[nodiscard]] bool is_late(std::int64_t event_time_ns, std::int64_t watermark_ns) const noexcept;
  /// Whether some bar's volume or notional would leave its bounds with this trade in it.
  [[nodiscard]] bool would_overflow(const Trade& trade);
  /// Folds an accepted trade; `watermark_ns` is the watermark before it.
  void fold(const Trade& trade, std::int64_t watermark_ns, Changes& changes);
  /// Lets a watermark finalise and evict what it passes; `offset` is that of the record that moved it.
  void advance(std::int64_t watermark_ns, std::int64_t offset, Changes& changes);
  /// What a bar shows: its final children and the forming ones.
  [[nodiscard]] Aggregate total(std::size_t level, const Bar& bar);

  /// To be called once all bars and ids are restored.
  void finish_restore();

  [[nodiscard]] std::int64_t own_watermark() const noexcept {
    return newest_event_ns_ == kBeginning ? kBeginning : newest_event_ns_ - config_.out_of_order_ns;
  }
  /// The earliest watermark at which `advance` has something to do.
  [[nodiscard]] std::int64_t due_ns() const noexcept { return due_ns_; }
  [[nodiscard]] bool is(std::string_view venue_name, std::string_view instrument_name) const noexcept {
    return instrument == instrument_name && venue == venue_name;
  }
  /// Brings what the next trade needs near, in this order and some trades apart: the series itself, what it points to,
  /// and what that points to.
  void prefetch() const noexcept;
  void prefetch_tables() const noexcept;
  void prefetch_bar() const noexcept;
  [[nodiscard]] LevelBars& bars(std::size_t level) { return levels_[level]; }
  [[nodiscard]] Bar* find(std::size_t level, std::int64_t start_ns) { return levels_[level].find(start_ns); }

  const std::string venue;
  const std::string instrument;
  Venue& home;
  TradeIds ids;
  bool are_ids_listed = false;         // in Changes::ids
  bool is_live_listed = false;         // in Changes::live
  std::int64_t scheduled_ns = kNever;  // the earliest entry for it in its venue's schedule

 private:
  Bar& open(std::size_t level, std::int64_t start_ns, std::int64_t watermark_ns);
  void fold_late(std::size_t level, Bar& bar, const Trade& trade, Changes& changes);
  void finalise(std::int64_t watermark_ns, std::int64_t offset, Changes& changes);
  void evict(std::int64_t watermark_ns, Changes& changes);
  void evict_ids(std::int64_t watermark_ns, Changes& changes);
  void find_due();
  [[nodiscard]] std::int64_t base_start(std::int64_t event_time_ns) const noexcept;
  void mark_dirty(std::size_t level, Bar& bar, Changes& changes);
  void announce(std::size_t level, Bar& bar, Changes& changes);
  [[nodiscard]] std::int64_t end_ns(std::size_t level, const Bar& bar) const noexcept;

  const FoldConfig& config_;
  std::vector<LevelBars> levels_;
  mutable std::int64_t base_start_ns_ = 0;  // where the last trade's base window began: the next one's mostly does too
  std::int64_t newest_event_ns_ = kBeginning;
  std::int64_t due_ns_ = kNever;
  // Sums of all that was ever folded: as long as they are in bounds, no bar can be out of them.
  UInt128 volume_bound_ = 0;
  UInt256 notional_bound_;
};

}  // namespace livetape::kernel
