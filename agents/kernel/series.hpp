#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bar.hpp"
#include "corrections.hpp"
#include "level_bars.hpp"
#include "names.hpp"
#include "prefetch.hpp"
#include "trade_ids.hpp"
#include "window.hpp"

/// The bars of one instrument, on every level.
namespace livetape::kernel {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

struct Venue;
class Series;

/// One bar, and whose it is. It stays where it is as long as a list of `Changes` has it.
struct BarRef {
  Series* series;
  std::size_t level;
  Bar* bar;
};

/// A bar that left memory.
struct EvictedRef {
  Series* series;
  std::size_t level;
  std::int64_t start_ns;
  bool is_logged;
};

/// Chunks of ids by where they are.
struct IdChunkRef {
  Series* series;
  std::int64_t bucket_ns;
  IdKind kind;
  std::size_t chunk;
};

/// Where a page of the changelog has an instrument's names.
struct PageMention {
  std::uint64_t page = 0;  // by the order in which they were opened; 0 before any
  std::int64_t place = 0;
};

/// Takes bars as they become final, while they are near.
class FinalBars {
 public:
  virtual ~FinalBars() = default;
  /// Publishes a bar, and stores it where that is done once and for all: then its bytes are what it gives.
  virtual Bytes take_final(Series& series, std::size_t level, Bar& bar) = 0;
  /// Hears that a bar of this start, stored by `take_final`, is gone.
  virtual void forget_final(std::int64_t start_ns) = 0;

 protected:
  FinalBars() = default;
  FinalBars(const FinalBars&) = default;
  FinalBars& operator=(const FinalBars&) = default;
};

/// What changed since the last flush. The lists name what changed.
struct Changes {
  explicit Changes(FinalBars& its_finals) : finals_to(&its_finals) {}

  FinalBars* finals_to;
  bool are_finals_kept = false;   // for the flush: who folds trades elsewhere knows a bar's last version alone
  std::vector<BarRef> dirty;      // to be written to the changelog, beside the forming base bars of `touched`
  std::vector<BarRef> announced;  // to be published, and written to the changelog
  std::vector<Bar*> gone;         // evicted, but in one of the lists above
  std::vector<Series*> touched;   // whose ids or forming base bars changed
  std::vector<EvictedRef> evicted;
  std::vector<IdChunkRef> evicted_ids;
  std::vector<Series*> corrections;  // which have other corrections now
  std::vector<Series*> live;         // whose forming bars changed since the last live record
  std::int64_t finals = 0;
  std::int64_t revisions = 0;
};

/// All bars of one instrument. Trades are folded into the base bar; a coarser bar is the sum of its final children,
/// kept in the bar, and of its forming ones, added when somebody asks. So a trade costs the same however many intervals
/// there are, and the changelog need not hold a coarser bar each time that a trade comes.
class alignas(kCacheLine) Series {
 public:
  Series(std::string instrument, Venue& home, const FoldConfig& config, BarStore& store);

  /// Whether a trade of this time is refused as too late: its base window began before the horizon.
  [[nodiscard]] bool is_late(std::int64_t event_time_ns, std::int64_t watermark_ns) const noexcept;
  /// Whether some bar's volume or notional would leave its bounds with this trade in it.
  [[nodiscard]] bool would_overflow(const Trade& trade);
  /// Folds a trade of the kind that nearly all are: without conditions, of the newest base bar, which forms, and with
  /// the id that follows the last one. False, with nothing done, where it is another.
  bool fold_next(const Decoded& decoded, std::int64_t offset, Changes& changes);
  /// Folds an accepted trade; `watermark_ns` is the watermark before it.
  void fold(const Trade& trade, std::int64_t watermark_ns, Changes& changes);
  /// Lets a watermark finalise and evict what it passes; `offset` is that of the record that moved it.
  void advance(std::int64_t watermark_ns, std::int64_t offset, Changes& changes);
  /// Where the log must be read again from to find the trade of this id and all others of its bar; nothing when no bar
  /// that may still change can have it. `is_wide` asks for all bars, in case the first look was too narrow.
  [[nodiscard]] std::optional<std::int64_t> history_from(const TradeIdView& id, bool is_wide,
                                                         std::int64_t watermark_ns);
  /// Whether some bar's volume or notional would leave its bounds with a base bar summing up to this.
  [[nodiscard]] bool would_overflow(std::int64_t base_start_ns, const Aggregate& sum);
  /// Puts what a base bar sums up to by a correction in its place; false when it is what it was.
  bool replace(std::int64_t base_start_ns, Aggregate sum, std::int64_t watermark_ns, std::int64_t offset,
               Changes& changes);
  /// Counts an id as come.
  void learn(const TradeIdView& id, std::int64_t event_time_ns, std::int64_t offset, Changes& changes);
  /// Remembers a correction that was carried out, as long as one of its bars may change.
  void remember(CarriedOut correction, Changes& changes);
  /// Keeps an id that came, and a correction that was carried out, as long as a bar of this time may change.
  void keep(const TradeIdView& id, std::int64_t event_time_ns, Changes& changes);
  void keep(std::int64_t correction_offset, std::int64_t event_time_ns, Changes& changes);
  [[nodiscard]] std::int64_t base_start(std::int64_t event_time_ns) const noexcept;
  [[nodiscard]] std::int64_t base_length_ns() const noexcept { return base_length_ns_; }
  /// What a bar shows: its final children and the forming ones.
  [[nodiscard]] Aggregate total(std::size_t level, const Bar& bar);

  /// To be called once all bars and ids are restored.
  void finish_restore(Changes& changes);

  /// Before it no trade is expected any more: by the instrument's own newest trade, or by its venue's clock.
  [[nodiscard]] std::int64_t watermark() const noexcept;
  [[nodiscard]] std::int64_t newest_event_ns() const noexcept { return newest_event_ns_; }
  /// The earliest watermark at which `advance` has something to do.
  [[nodiscard]] std::int64_t due_ns() const noexcept { return due_ns_; }
  [[nodiscard]] bool is(const Venue& its_venue, std::string_view its_instrument) const noexcept {
    return &home == &its_venue && is_same_name(instrument, its_instrument);
  }
  /// Brings what the next trade needs near, in this order and some trades apart: of the series itself, and of what it
  /// points to, the newest bar or the place of a new one.
  void prefetch_for_trade() const noexcept { prefetch_front<kHotBytes>(this); }
  void prefetch_bar_for_trade(std::int64_t event_time_ns) const noexcept;
  /// The same of all of the series, and of its newest bar.
  void prefetch() const noexcept { prefetch_object(this); }
  void prefetch_bar() const noexcept;
  /// What `advance` needs beside them, when the series is there.
  void prefetch_ends() const noexcept;
  [[nodiscard]] LevelBars& bars(std::size_t level) { return level == 0 ? base_ : coarser_[level - 1]; }
  /// Keeps a final base bar, which is stored as these bytes, as nothing more than them.
  void seal(const Bar& bar, Bytes text) { base_.seal(bar, text); }
  [[nodiscard]] Bar* find(std::size_t level, std::int64_t start_ns) { return bars(level).find(start_ns); }
  [[nodiscard]] const std::vector<Level>& levels() const noexcept { return tree_; }
  [[nodiscard]] const Level& level(std::size_t number) const noexcept { return tree_[number]; }

  const std::string instrument;
  Venue& home;
  std::int64_t scheduled_ns = kNever;   // the earliest entry for it in its venue's schedule
  bool is_touched = false;              // in Changes::touched
  bool is_live_listed = false;          // in Changes::live
  bool are_corrections_listed = false;  // in Changes::corrections
  bool has_announced = false;           // a bar in Changes::announced

 private:
  [[nodiscard]] bool starts_count(const Trade& trade) const noexcept;
  [[nodiscard]] bool is_newer_count(const Aggregate& sum, const OrderKey& order, std::int64_t newest_ns,
                                    std::int64_t since_ns, bool starts_it, bool is_corrected) const noexcept;
  [[nodiscard]] Count count_of(const Aggregate& sum, const Trade& trade) const noexcept;
  void add(Aggregate& sum, const Trade& trade) const;
  void append(Aggregate& sum, const Aggregate& next, std::int64_t start_ns) const;
  [[nodiscard]] Aggregate sum_of_final(std::size_t level, const Bar& bar);
  Bar& open(std::size_t level, std::int64_t start_ns, std::int64_t watermark_ns, Changes& changes);
  void fold_late(std::size_t level, Bar& bar, const Trade& trade, bool has_new_returns, Changes& changes);
  bool sum_returns(std::size_t level, Bar& bar);
  void revise(std::size_t level, Bar& bar, std::int64_t offset, Changes& changes);
  void rebuild_above(std::size_t level, const Bar& bar, std::int64_t offset, Changes& changes);
  void charge(const IdRuns::Change& change, std::int64_t offset, Changes& changes);
  void finalise(std::int64_t watermark_ns, std::int64_t offset, Changes& changes);
  void evict(std::int64_t watermark_ns, Changes& changes);
  void note_bucket(std::int64_t event_time_ns);
  void evict_ids(std::int64_t watermark_ns, Changes& changes);
  void evict_corrections(std::int64_t watermark_ns, Changes& changes);
  void list_corrections(Changes& changes);
  [[nodiscard]] std::int64_t needed_until_ns(const CarriedOut& correction) const noexcept;
  void find_due();
  Bytes make_known(std::size_t level, Bar& bar, Changes& changes);
  void let_go(std::size_t level, const LevelBars::Slot& slot, Changes& changes);
  void touch(Changes& changes) {
    if (!std::exchange(is_touched, true)) changes.touched.push_back(this);
  }
  void mark_dirty(std::size_t level, Bar& bar, Changes& changes);
  void announce(std::size_t level, Bar& bar, Changes& changes);
  template <typename Visit>
  void each_above(std::size_t level, const Bar& bar, Visit visit);
  void open_forming_above(Changes& changes);
  [[nodiscard]] std::int64_t end_ns(std::size_t level, const Bar& bar) const noexcept;
  void seal_restored();
  [[nodiscard]] std::int64_t needed_until_ns(std::size_t level, std::int64_t start_ns) const noexcept;

  // 2^30 trades of less than 2^90 each: volumes stay below 2^120 and notionals below 2^210, far inside of their limits.
  static constexpr std::int64_t kManyTrades = std::int64_t{1} << 30;
  static constexpr UInt128 kLarge = UInt128{1} << 90;
  // Cache lines are what trades of many instruments cost: all that a trade looks at is in the first ones. With 25,000
  // instruments in a partition a trade took 103 ns to fold in place of 109 when it was spread over all eight.
  static constexpr std::size_t kHotBytes = 5 * kCacheLine;

  // As long as there were few trades, and none of them large, no sum of any of them can leave its bounds.
  bool has_large_ = false;
  const bool is_forming_in_time_;  // whether a trade of a bar that forms is never too late
  std::int64_t folded_ = 0;
  const std::int64_t base_length_ns_;
  mutable std::int64_t base_start_ns_ = 0;  // where the last trade's base window began: the next one's mostly does too
  std::int64_t newest_event_ns_ = kBeginning;
  std::int64_t due_ns_ = kNever;
  const FoldConfig& config_;
  LevelBars base_;  // here, and not beside the coarser ones: each trade is of one of its bars

 public:
  TradeIds ids;
  Corrections corrections;
  std::size_t forgotten = 0;  // how often ids were
  PageMention mention;

 private:
  const std::vector<Level>& tree_;
  BarStore& store_;
  std::vector<LevelBars> coarser_;
};

[[gnu::always_inline]] inline bool Series::fold_next(const Decoded& decoded, std::int64_t offset, Changes& changes) {
  Bar* const bar = base_.newest();
  if (bar == nullptr || bar->is_final || !is_forming_in_time_ || !decoded.conditions.empty()) return false;
  const std::int64_t event_ns = decoded.event_time_ns;
  if (event_ns < bar->start_ns || event_ns - base_length_ns() >= bar->start_ns) return false;
  const auto size = static_cast<UInt128>(decoded.size);
  if ((static_cast<UInt128>(decoded.price) | size) >= kLarge || has_large_ || folded_ + 1 >= kManyTrades) return false;
  if (!decoded.trade_id.is_number() || !ids.insert_next(decoded.trade_id.number, event_ns)) return false;
  ++folded_;
  const OrderKey order{decoded.has_trade_seq ? decoded.trade_seq : event_ns, offset};
  bar->sum.add_plain(order, decoded.price, size, event_ns, offset, decoded.aggressor, decoded.trade_id);
  bar->is_dirty = true;
  touch(changes);
  if (!std::exchange(is_live_listed, true)) changes.live.push_back(this);
  newest_event_ns_ = std::max(newest_event_ns_, event_ns);
  return true;
}

/// Visits series, and brings what they will need near in two steps.
template <typename Visit>
void each_series(const std::vector<Series*>& all, Visit visit) {
  constexpr std::size_t kStep = 4;
  const auto at = [&](std::size_t place) { return place < all.size() ? all[place] : nullptr; };
  for (std::size_t place = 0; place < all.size(); ++place) {
    if (const Series* next = at(place + 2 * kStep)) next->prefetch();
    if (const Series* next = at(place + kStep)) {
      next->prefetch_bar();
      next->prefetch_ends();
    }
    visit(*all[place]);
  }
}

}  // namespace livetape::kernel
