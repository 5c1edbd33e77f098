#include "series.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace livetape::kernel {

std::vector<Bar>::iterator LevelBars::position(std::int64_t start_ns) {
  const auto from = bars_.begin() + static_cast<std::ptrdiff_t>(first_);
  return std::ranges::lower_bound(from, bars_.end(), start_ns, {}, &Bar::start_ns);
}

Bar* LevelBars::find(std::int64_t start_ns) {
  if (empty()) return nullptr;
  if (bars_.back().start_ns == start_ns) return &bars_.back();
  const auto at = position(start_ns);
  return at != bars_.end() && at->start_ns == start_ns ? &*at : nullptr;
}

Bar& LevelBars::make(std::int64_t start_ns, bool is_final) {
  Bar bar;
  bar.start_ns = start_ns;
  bar.is_final = is_final;
  forming_ += is_final;
  return *bars_.insert(position(start_ns), std::move(bar));
}

Bar& LevelBars::finalise_first() {
  Bar& bar = bars_[forming_++];
  bar.is_final = true;
  return bar;
}

void LevelBars::pop_front() {
  constexpr std::size_t kWorthMoving = 64;
  ++first_;
  if (first_ < kWorthMoving || first_ * 2 < bars_.size()) return;
  bars_.erase(bars_.begin(), bars_.begin() + static_cast<std::ptrdiff_t>(first_));
  forming_ -= first_;
  first_ = 0;
}

std::span<Bar> LevelBars::forming(std::int64_t from_ns, std::int64_t to_ns) {
  const auto all = forming();
  const auto from = std::ranges::lower_bound(all, from_ns, {}, &Bar::start_ns);
  const auto to = std::ranges::lower_bound(from, all.end(), to_ns, {}, &Bar::start_ns);
  return {from, to};
}

void LevelBars::restore(Bar bar) {
  if (Bar* older = find(bar.start_ns)) {
    *older = std::move(bar);
  } else {
    bars_.insert(position(bar.start_ns), std::move(bar));
  }
}

void LevelBars::restore_without(std::int64_t start_ns) {
  if (find(start_ns) != nullptr) bars_.erase(position(start_ns));
}

void LevelBars::restore_forming() {
  const auto from = std::ranges::find(bars_, false, &Bar::is_final);
  forming_ = static_cast<std::size_t>(from - bars_.begin());
}

Series::Series(std::string venue_name, std::string instrument_name, Venue& venue_home, const FoldConfig& config)
    : venue(std::move(venue_name)),
      instrument(std::move(instrument_name)),
      home(venue_home),
      config_(config),
      levels_(config.levels.size()) {}

bool Series::is_late(std::int64_t event_time_ns, std::int64_t watermark_ns) const noexcept {
  if (watermark_ns == kBeginning) return false;
  return base_start(event_time_ns) < watermark_ns - config_.horizon_ns;
}

std::int64_t Series::base_start(std::int64_t event_time_ns) const noexcept {
  const std::int64_t length_ns = config_.levels[0].length_ns;
  if (event_time_ns < base_start_ns_ || event_time_ns - length_ns >= base_start_ns_) {
    base_start_ns_ = floor_to(event_time_ns, length_ns);
  }
  return base_start_ns_;
}

bool Series::would_overflow(const Trade& trade) {
  if (volume_bound_ < kDecimalLimit) volume_bound_ += trade.size;
  if (notional_bound_ < kNotionalLimit) notional_bound_ += trade.notional;
  if (volume_bound_ < kDecimalLimit && notional_bound_ < kNotionalLimit) return false;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    Bar* bar = find(level, floor_to(trade.event_time_ns, config_.levels[level].length_ns));
    if (bar == nullptr) continue;
    const Aggregate sum = total(level, *bar);
    if (sum.volume + trade.size >= kDecimalLimit || sum.notional + trade.notional >= kNotionalLimit) return true;
  }
  return false;
}

void Series::prefetch() const noexcept { prefetch_object(this); }

void Series::prefetch_tables() const noexcept {
  prefetch_object(levels_.data());
  ids.prefetch_bucket();
}

void Series::prefetch_bar() const noexcept {
  levels_.front().prefetch_newest();
  ids.prefetch_numbers();
}

void Series::fold(const Trade& trade, std::int64_t watermark_ns, Changes& changes) {
  Bar& base = open(0, base_start(trade.event_time_ns), watermark_ns);
  if (base.is_final) {
    fold_late(0, base, trade, changes);
  } else {
    base.sum.add(trade);
    mark_dirty(0, base, changes);
  }
  const std::int64_t bucket_end_ns = floor_to(trade.event_time_ns, IdBucket::kLengthNs) + IdBucket::kLengthNs;
  ids.insert(trade.id, trade.event_time_ns);
  due_ns_ = std::min(due_ns_, bucket_end_ns + config_.horizon_ns);
  if (!std::exchange(are_ids_listed, true)) changes.ids.push_back(this);
  if (!std::exchange(is_live_listed, true)) changes.live.push_back(this);
  newest_event_ns_ = std::max(newest_event_ns_, trade.event_time_ns);
}

/// The bar of a window; a new one gets its ancestors as well, so that a child always finds where to merge.
Bar& Series::open(std::size_t level, std::int64_t start_ns, std::int64_t watermark_ns) {
  if (Bar* bar = levels_[level].find(start_ns)) return *bar;
  for (const std::size_t parent : config_.levels[level].parents) {
    open(parent, floor_to(start_ns, config_.levels[parent].length_ns), watermark_ns);
  }
  const std::int64_t end = start_ns + config_.levels[level].length_ns;
  const bool is_final = watermark_ns != kBeginning && end + config_.grace_ns <= watermark_ns;
  due_ns_ = std::min(due_ns_, end + std::min(config_.grace_ns, config_.horizon_ns));
  return levels_[level].make(start_ns, is_final);
}

/// A trade for a bar that is final: the bar gets a new revision, and so does every ancestor that is final as well. The
/// first that still forms takes the trade into the sum of its final children, and its own ancestors see it there.
void Series::fold_late(std::size_t level, Bar& bar, const Trade& trade, Changes& changes) {
  bar.sum.add(trade);
  bar.seq = trade.offset;
  ++bar.revision;
  ++changes.revisions;
  announce(level, bar, changes);
  mark_dirty(level, bar, changes);
  for (const std::size_t parent : config_.levels[level].parents) {
    Bar& above = *find(parent, floor_to(bar.start_ns, config_.levels[parent].length_ns));
    if (above.is_final) {
      fold_late(parent, above, trade, changes);
    } else {
      above.sum.add(trade);
      mark_dirty(parent, above, changes);
    }
  }
}

void Series::advance(std::int64_t watermark_ns, std::int64_t offset, Changes& changes) {
  finalise(watermark_ns, offset, changes);
  evict(watermark_ns, changes);
  evict_ids(watermark_ns, changes);
  find_due();
}

/// Finest level first: a parent's children are final, and merged into it, before it is.
void Series::finalise(std::int64_t watermark_ns, std::int64_t offset, Changes& changes) {
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    LevelBars& bars = levels_[level];
    while (bars.has_forming() && end_ns(level, bars.first_forming()) + config_.grace_ns <= watermark_ns) {
      Bar& bar = bars.finalise_first();
      bar.seq = offset;
      ++changes.finals;
      announce(level, bar, changes);
      mark_dirty(level, bar, changes);
      for (const std::size_t parent : config_.levels[level].parents) {
        Bar& above = *find(parent, floor_to(bar.start_ns, config_.levels[parent].length_ns));
        above.sum.merge(bar.sum);
        mark_dirty(parent, above, changes);
      }
    }
  }
}

void Series::evict(std::int64_t watermark_ns, Changes& changes) {
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    LevelBars& bars = levels_[level];
    while (!bars.empty() && bars.front().is_final && end_ns(level, bars.front()) + config_.horizon_ns <= watermark_ns) {
      Bar& bar = bars.front();
      if (bar.is_logged) changes.evicted.push_back({this, level, bar.start_ns});
      if (bar.is_announced) changes.farewells.push_back({this, level, std::move(bar)});
      bars.pop_front();
    }
  }
}

void Series::evict_ids(std::int64_t watermark_ns, Changes& changes) {
  auto& buckets = ids.buckets();
  while (!buckets.empty() && buckets.front().start_ns + IdBucket::kLengthNs + config_.horizon_ns <= watermark_ns) {
    const IdBucket& bucket = buckets.front();
    for (const IdKind kind : {IdKind::ranges, IdKind::hashes}) {
      for (std::size_t chunk = 0; chunk < bucket.logged_chunks[static_cast<int>(kind)]; ++chunk) {
        changes.evicted_ids.push_back({this, bucket.start_ns, kind, chunk});
      }
    }
    buckets.pop_front();
  }
}

void Series::find_due() {
  due_ns_ = kNever;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    LevelBars& bars = levels_[level];
    if (bars.has_forming()) due_ns_ = std::min(due_ns_, end_ns(level, bars.first_forming()) + config_.grace_ns);
    if (!bars.empty() && bars.front().is_final) {
      due_ns_ = std::min(due_ns_, end_ns(level, bars.front()) + config_.horizon_ns);
    }
  }
  if (!ids.buckets().empty()) {
    due_ns_ = std::min(due_ns_, ids.buckets().front().start_ns + IdBucket::kLengthNs + config_.horizon_ns);
  }
}

Aggregate Series::total(std::size_t level, const Bar& bar) {
  Aggregate sum = bar.sum;
  const std::size_t child = config_.levels[level].child;
  if (child == Level::kNone || bar.is_final) return sum;
  for (const Bar& part : levels_[child].forming(bar.start_ns, end_ns(level, bar))) sum.merge(total(child, part));
  return sum;
}

void Series::finish_restore() {
  for (LevelBars& bars : levels_) bars.restore_forming();
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    // Opening an ancestor does not touch this level's own bars, and one that had nothing final yet is not final itself.
    for (const Bar& bar : levels_[level].all()) {
      for (const std::size_t parent : config_.levels[level].parents) {
        if (!bar.is_final) open(parent, floor_to(bar.start_ns, config_.levels[parent].length_ns), kBeginning);
      }
      newest_event_ns_ = std::max(newest_event_ns_, bar.sum.newest_event_ns);
      if (volume_bound_ < kDecimalLimit) volume_bound_ += bar.sum.volume;
      if (notional_bound_ < kNotionalLimit) notional_bound_ += bar.sum.notional;
    }
  }
  ids.find_newest();
  find_due();
}

void Series::mark_dirty(std::size_t level, Bar& bar, Changes& changes) {
  if (!std::exchange(bar.is_dirty, true)) changes.dirty.push_back({this, level, bar.start_ns});
}

void Series::announce(std::size_t level, Bar& bar, Changes& changes) {
  if (!std::exchange(bar.is_announced, true)) changes.announced.push_back({this, level, bar.start_ns});
}

std::int64_t Series::end_ns(std::size_t level, const Bar& bar) const noexcept {
  return bar.start_ns + config_.levels[level].length_ns;
}

}  // namespace livetape::kernel
