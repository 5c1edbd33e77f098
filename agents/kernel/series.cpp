#include "series.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "bar_state.hpp"
#include "venue.hpp"

namespace livetape::kernel {

Series::Series(std::string instrument_name, Venue& venue_home, const FoldConfig& config, BarStore& store)
    : instrument(std::move(instrument_name)),
      home(venue_home),
      is_forming_in_time_(config.horizon_ns >= config.grace_ns + config.levels[0].length_ns),
      base_length_ns_(config.levels[0].length_ns),
      config_(config),
      base_(store),
      ids(venue_home.rules.has_contiguous_ids),
      tree_(config.levels_of(venue_home.name, instrument)),
      store_(store),
      coarser_(tree_.size() - 1, LevelBars(store)) {}

bool Series::is_late(std::int64_t event_time_ns, std::int64_t watermark_ns) const noexcept {
  return config_.is_late(base_start(event_time_ns), watermark_ns);
}

std::int64_t Series::base_start(std::int64_t event_time_ns) const noexcept {
  if (event_time_ns < base_start_ns_ || event_time_ns - base_length_ns_ >= base_start_ns_) {
    base_start_ns_ = floor_to(event_time_ns, base_length_ns_);
  }
  return base_start_ns_;
}

bool Series::would_overflow(const Trade& trade) {
  has_large_ |= std::max(static_cast<UInt128>(trade.price), trade.size) >= kLarge;
  if (++folded_ < kManyTrades && !has_large_) return false;
  bool is_over = false;
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    tree_[level].each_start_at(trade.event_time_ns, [&](std::int64_t start_ns) {
      const Bar* bar = find(level, start_ns);
      if (bar == nullptr) return;
      const Aggregate sum = total(level, *bar);
      is_over |= sum.volume + trade.size >= kDecimalLimit || sum.notional + trade.notional >= kNotionalLimit;
    });
  }
  return is_over;
}

void Series::prefetch_bar_for_trade(std::int64_t event_time_ns) const noexcept {
  base_.prefetch_newest<Bar::kHotBytes>();
  ids.prefetch_newest();
  base_.prefetch_place_behind(event_time_ns, base_length_ns());
}

void Series::prefetch_bar() const noexcept {
  base_.prefetch_newest<sizeof(Bar)>();
  ids.prefetch_newest();
}

void Series::prefetch_ends() const noexcept {
  base_.prefetch_slots();
  ids.prefetch_buckets();
}

void Series::fold(const Trade& trade, std::int64_t watermark_ns, Changes& changes) {
  Bar& base = open(0, base_start(trade.event_time_ns), watermark_ns, changes);
  if (base.is_final) {
    const Returns before = base.sum.returns();
    add(base.sum, trade);
    fold_late(0, base, trade, base.sum.returns() != before, changes);
  } else {
    add(base.sum, trade);
    mark_dirty(0, base, changes);
  }
  learn(trade.id, trade.event_time_ns, trade.offset, changes);
  if (!std::exchange(is_live_listed, true)) changes.live.push_back(this);
  newest_event_ns_ = std::max(newest_event_ns_, trade.event_time_ns);
}

bool Series::starts_count(const Trade& trade) const noexcept {
  return ids.are_contiguous() && trade.id.is_number() && ids.runs.is_counted_anew(trade.id.number, trade.event_time_ns);
}

/// Whether a trade or a bar of this order and time is of a newer count than a sum: by the ids, as long as those of the
/// count before it are kept, else by what is remembered of it, and by the rule that the ids go by. That rule knows
/// nothing of trades that were corrected: one may have a much newer time, and its number of before.
/// Its newest time tells the ids, and that rule the time of which its last trade is at the least.
bool Series::is_newer_count(const Aggregate& sum, const OrderKey& order, std::int64_t newest_ns, std::int64_t since_ns,
                            bool starts_it, bool is_corrected) const noexcept {
  if (!ids.are_contiguous() || !sum.has_open_close) return false;
  const std::size_t numbering = ids.runs.numbering(newest_ns);
  if (numbering > 0) return ids.runs.numbering(sum.newest_event_ns) < numbering;
  const bool is_lower = order.first < sum.last_order.first;
  const bool is_as_it_came = !is_corrected && !sum.is_corrected;
  return starts_it || (is_as_it_came && is_lower && since_ns - IdRuns::kCountedAnewNs > sum.newest_event_ns);
}

Count Series::count_of(const Aggregate& sum, const Trade& trade) const noexcept {
  const std::int64_t time_ns = trade.event_time_ns;
  if (starts_count(trade) || is_newer_count(sum, trade.order, time_ns, time_ns, false, false)) return Count::newer;
  const bool is_former = sum.has_open_close && ids.runs.has_former() &&
                         ids.runs.numbering(time_ns) < ids.runs.numbering(sum.newest_event_ns);
  return is_former ? Count::former : Count::same;
}

/// Adds a trade to a base bar's sum.
void Series::add(Aggregate& sum, const Trade& trade) const {
  const bool is_first = !sum.has_open_close;
  sum.add(trade, count_of(sum, trade));
  if (is_first && sum.has_open_close) sum.starts_count = starts_count(trade);
}

/// Adds what follows a sum in time, from a bar that starts then. The newest of its trades need not be the last: it may
/// count for volume alone, or be gone.
void Series::append(Aggregate& sum, const Aggregate& next, std::int64_t start_ns) const {
  const std::int64_t since_ns = next.is_recounted ? next.newest_event_ns : start_ns;
  const bool is_anew = next.has_open_close && is_newer_count(sum, next.last_order, next.newest_event_ns, since_ns,
                                                             next.starts_count, next.is_corrected);
  sum.merge(next, is_anew);
}

/// What the final bars of its child level sum up to, of which a bar's sum is.
Aggregate Series::sum_of_final(std::size_t level, const Bar& bar) {
  Aggregate sum;
  const LevelBars& children = bars(tree_[level].child);
  children.read(children.final(bar.start_ns, end_ns(level, bar)),
                [&](const Bar& child) { append(sum, child.sum, child.start_ns); });
  return sum;
}

void Series::learn(const TradeIdView& id, std::int64_t event_time_ns, std::int64_t offset, Changes& changes) {
  const IdRuns::Change change = ids.insert(id, event_time_ns);
  if (ids.are_contiguous() && id.is_number()) {
    charge(change, offset, changes);
  } else {
    note_bucket(event_time_ns);
  }
  touch(changes);
}

/// Ids of this time are to be forgotten when the watermark has passed them all.
void Series::note_bucket(std::int64_t event_time_ns) {
  const std::int64_t bucket_end_ns = floor_to(event_time_ns, IdBucket::kLengthNs) + IdBucket::kLengthNs;
  due_ns_ = std::min(due_ns_, bucket_end_ns + config_.horizon_ns);
}

/// The bar of a window; a new one gets its ancestors as well, so that a child always finds where to merge.
Bar& Series::open(std::size_t level, std::int64_t start_ns, std::int64_t watermark_ns, Changes& changes) {
  if (Bar* bar = bars(level).find(start_ns)) return *bar;
  for (const std::size_t parent : tree_[level].parents) {
    tree_[parent].each_start_at(start_ns,
                                [&](std::int64_t above_ns) { open(parent, above_ns, watermark_ns, changes); });
  }
  const std::int64_t end = tree_[level].end_ns(start_ns);
  const bool is_final = watermark_ns != kBeginning && end + config_.grace_ns <= watermark_ns;
  due_ns_ = std::min(due_ns_, end + std::min(config_.grace_ns, config_.horizon_ns));
  Bar& bar = bars(level).make(start_ns, is_final);
  bar.missing = ids.runs.missing_between(start_ns, end);
  if (bar.missing != 0) mark_dirty(level, bar, changes);
  return bar;
}

/// Calls `visit` with level and bar of each bar that this one is a part of.
template <typename Visit>
void Series::each_above(std::size_t level, const Bar& bar, Visit visit) {
  for (const std::size_t parent : tree_[level].parents) {
    tree_[parent].each_start_at(bar.start_ns, [&](std::int64_t start_ns) { visit(parent, *find(parent, start_ns)); });
  }
}

/// A bar that is final has taken a trade: it gets a new revision, and so does every ancestor that is final as well. The
/// first that still forms takes the trade into the sum of its final children, and its own ancestors see it there.
void Series::fold_late(std::size_t level, Bar& bar, const Trade& trade, bool has_new_returns, Changes& changes) {
  revise(level, bar, trade.offset, changes);
  each_above(level, bar, [&](std::size_t parent, Bar& above) {
    if (tree_[parent].is_hopping() && !above.is_final) return;
    const bool has_others = has_new_returns && sum_returns(parent, above);
    if (ids.runs.has_former() || count_of(above.sum, trade) == Count::newer) {
      above.sum = sum_of_final(parent, above);
    } else {
      above.sum.add(trade);
    }
    if (above.is_final) {
      fold_late(parent, above, trade, has_others, changes);
    } else {
      mark_dirty(parent, above, changes);
    }
  });
}

/// Sums the returns of a bar's final children up anew; whether they are others than before.
bool Series::sum_returns(std::size_t level, Bar& bar) {
  Returns sum;
  const LevelBars& children = bars(tree_[level].child);
  children.read(children.final(bar.start_ns, end_ns(level, bar)),
                [&](const Bar& child) { sum.append(child.sum.returns()); });
  return std::exchange(bar.sum.own_returns, sum) != sum;
}

/// What a record changed is to be stored, and published when the bar is final: one revision a record.
void Series::revise(std::size_t level, Bar& bar, std::int64_t offset, Changes& changes) {
  if (bar.is_final) {
    if (std::exchange(bar.seq, offset) != offset) {
      ++bar.revision;
      ++changes.revisions;
    }
    announce(level, bar, changes);
  } else {
    bar.seq = offset;
  }
  mark_dirty(level, bar, changes);
}

/// Missing ids belong to every window that the two trades beside them span, however many trades it has itself.
void Series::charge(const IdRuns::Change& change, std::int64_t offset, Changes& changes) {
  std::int64_t first_ns = kNever;
  std::int64_t last_ns = kBeginning;
  for (const IdGap& gap : {change.closed, change.opened[0], change.opened[1]}) {
    if (gap.missing == 0) continue;
    first_ns = std::min({first_ns, gap.before_ns, gap.after_ns});
    last_ns = std::max({last_ns, gap.before_ns, gap.after_ns});
  }
  if (last_ns == kBeginning) return;
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    LevelBars& here = bars(level);
    for (const LevelBars::Slot& slot : here.all(tree_[level].first_start_reaching(first_ns), last_ns + 1)) {
      const std::int64_t end = tree_[level].end_ns(slot.start_ns);
      const std::int64_t more = change.opened[0].missing_in(slot.start_ns, end) +
                                change.opened[1].missing_in(slot.start_ns, end) -
                                change.closed.missing_in(slot.start_ns, end);
      if (more == 0) continue;
      Bar& bar = here.open(slot);
      bar.missing = plus_missing(bar.missing, more);
      revise(level, bar, offset, changes);
    }
  }
}

std::optional<std::int64_t> Series::history_from(const TradeIdView& id, bool is_wide, std::int64_t watermark_ns) {
  const IdBucket* bucket = is_wide ? nullptr : ids.bucket_of(id);
  std::optional<std::int64_t> from;
  base_.read(base_.all(), [&](const Bar& bar) {
    const bool is_in_bucket = bucket == nullptr || (bar.start_ns < bucket->start_ns + IdBucket::kLengthNs &&
                                                    end_ns(0, bar) > bucket->start_ns);
    if (!is_in_bucket || is_late(bar.start_ns, watermark_ns)) return;
    from = std::min(from.value_or(bar.sum.first_offset), bar.sum.first_offset);
  });
  return from;
}

bool Series::would_overflow(std::int64_t base_start_ns, const Aggregate& sum) {
  if (sum.volume >= kDecimalLimit || sum.notional >= kNotionalLimit) return true;
  const Bar* base = find(0, base_start_ns);
  const UInt128 old_volume = base == nullptr ? 0 : base->sum.volume;
  const UInt256 old_notional = base == nullptr ? UInt256{} : base->sum.notional;
  bool is_over = false;
  for (std::size_t level = 1; level < tree_.size(); ++level) {
    tree_[level].each_start_at(base_start_ns, [&](std::int64_t start_ns) {
      const Bar* bar = find(level, start_ns);
      if (bar == nullptr) return;
      const Aggregate before = total(level, *bar);
      is_over |= before.volume - old_volume + sum.volume >= kDecimalLimit;
      is_over |= before.notional - old_notional + sum.notional >= kNotionalLimit;
    });
  }
  return is_over;
}

bool Series::replace(std::int64_t base_start_ns, Aggregate sum, std::int64_t watermark_ns, std::int64_t offset,
                     Changes& changes) {
  Bar* base = find(0, base_start_ns);
  if (base == nullptr) base = &open(0, base_start_ns, watermark_ns, changes);
  sum.newest_event_ns = std::max(sum.newest_event_ns, base->sum.newest_event_ns);  // a watermark never falls
  sum.starts_count = base->sum.starts_count && sum.has_open_close && !sum.is_recounted;
  if (base->sum == sum) return false;
  has_large_ |= sum.volume >= kLarge || static_cast<UInt128>(sum.high) >= kLarge;
  base->sum = std::move(sum);
  newest_event_ns_ = std::max(newest_event_ns_, base->sum.newest_event_ns);
  revise(0, *base, offset, changes);
  if (base->is_final) rebuild_above(0, *base, offset, changes);
  if (!std::exchange(is_live_listed, true)) changes.live.push_back(this);
  return true;
}

/// The bars above one that is final and no longer what it was, summed up anew: sums have no way back.
void Series::rebuild_above(std::size_t level, const Bar& bar, std::int64_t offset, Changes& changes) {
  each_above(level, bar, [&](std::size_t parent, Bar& above) {
    if (tree_[parent].is_hopping() && !above.is_final) return;
    above.sum = sum_of_final(parent, above);
    revise(parent, above, offset, changes);
    if (above.is_final) rebuild_above(parent, above, offset, changes);
  });
}

void Series::advance(std::int64_t watermark_ns, std::int64_t offset, Changes& changes) {
  finalise(watermark_ns, offset, changes);
  evict(watermark_ns, changes);
  evict_ids(watermark_ns, changes);
  evict_corrections(watermark_ns, changes);
  find_due();
}

/// Finest level first: a parent's children are final, and merged into it, before it is.
void Series::finalise(std::int64_t watermark_ns, std::int64_t offset, Changes& changes) {
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    LevelBars& here = bars(level);
    while (here.has_forming() && end_ns(level, here.first_forming()) + config_.grace_ns <= watermark_ns) {
      if (tree_[level].is_hopping()) here.first_forming().sum = total(level, here.first_forming());
      Bar& bar = here.finalise_first();
      for (const std::size_t parent : tree_[level].parents)
        bars(parent).prefetch_newest<sizeof(Bar)>();  // while this is written
      bar.seq = offset;
      ++changes.finals;
      const Bytes stored = make_known(level, bar, changes);
      each_above(level, bar, [&](std::size_t parent, Bar& above) {
        if (tree_[parent].is_hopping()) return;
        append(above.sum, bar.sum, bar.start_ns);
        mark_dirty(parent, above, changes);
      });
      if (!stored.empty()) here.seal_last_final(bar, stored);
    }
  }
}

/// A bar stays as long as one that sums it up may have to be summed up, for the first time or anew.
std::int64_t Series::needed_until_ns(std::size_t level, std::int64_t start_ns) const noexcept {
  std::int64_t until = tree_[level].end_ns(start_ns) + config_.horizon_ns;
  for (const std::size_t parent : tree_[level].parents) {
    const Level& above = tree_[parent];
    const std::int64_t after_ns =
        above.is_hopping() ? std::max(config_.horizon_ns, config_.grace_ns) : config_.horizon_ns;
    above.each_start_at(start_ns,
                        [&](std::int64_t its_ns) { until = std::max(until, above.end_ns(its_ns) + after_ns); });
  }
  return until;
}

void Series::evict(std::int64_t watermark_ns, Changes& changes) {
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    LevelBars& here = bars(level);
    while (here.has_final() && needed_until_ns(level, here.front().start_ns) <= watermark_ns) {
      let_go(level, here.front(), changes);
      here.pop_front();
    }
  }
}

/// A bar that some list has is given back once the flush has been through them.
void Series::let_go(std::size_t level, const LevelBars::Slot& slot, Changes& changes) {
  Bar* const bar = slot.bar;
  changes.evicted.push_back({this, level, slot.start_ns, bar == nullptr ? slot.is_logged : bar->is_logged});
  if (bar == nullptr ? slot.is_paged : bar->is_paged) changes.finals_to->forget_final(slot.start_ns);
  if (bar == nullptr) return;
  if (bar->is_listed || bar->is_announced) {
    bar->is_gone = true;
    changes.gone.push_back(bar);
  } else {
    store_.give_back(*bar);
  }
}

void Series::evict_ids(std::int64_t watermark_ns, Changes& changes) {
  while (ids.has_buckets() && ids.oldest().start_ns + IdBucket::kLengthNs + config_.horizon_ns <= watermark_ns) {
    const IdBucket& bucket = ids.oldest();
    for (const IdKind kind : {IdKind::ranges, IdKind::hashes}) {
      for (std::size_t chunk = 0; chunk < bucket.logged_chunks[static_cast<int>(kind)]; ++chunk) {
        changes.evicted_ids.push_back({this, bucket.start_ns, kind, chunk});
      }
    }
    ids.drop_oldest();
    ++forgotten;
  }
  if (ids.runs.forget_before(watermark_ns - config_.horizon_ns - config_.levels[0].length_ns)) ++forgotten;
  home.has_forgotten |= forgotten > 0;
  if (ids.runs.dirty_from != IdRuns::kClean) touch(changes);
}

void Series::remember(CarriedOut correction, Changes& changes) {
  corrections.append(correction);
  due_ns_ = std::min(due_ns_, needed_until_ns(correction));
  list_corrections(changes);
}

void Series::keep(const TradeIdView& id, std::int64_t event_time_ns, Changes& changes) {
  ids.keep(id, event_time_ns);
  note_bucket(event_time_ns);
  touch(changes);
}

void Series::keep(std::int64_t correction_offset, std::int64_t event_time_ns, Changes& changes) {
  corrections.keep(correction_offset, event_time_ns);
  list_corrections(changes);
}

std::int64_t Series::needed_until_ns(const CarriedOut& correction) const noexcept {
  return floor_to(correction.newest_ns, IdBucket::kLengthNs) + IdBucket::kLengthNs + config_.horizon_ns;
}

void Series::evict_corrections(std::int64_t watermark_ns, Changes& changes) {
  corrections.erase_if([&](const CarriedOut& each) { return needed_until_ns(each) <= watermark_ns; });
  list_corrections(changes);
}

void Series::list_corrections(Changes& changes) {
  if (corrections.is_changed() && !std::exchange(are_corrections_listed, true)) changes.corrections.push_back(this);
}

void Series::find_due() {
  due_ns_ = kNever;
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    LevelBars& here = bars(level);
    if (here.has_forming()) due_ns_ = std::min(due_ns_, end_ns(level, here.first_forming()) + config_.grace_ns);
    if (here.has_final()) due_ns_ = std::min(due_ns_, needed_until_ns(level, here.front().start_ns));
  }
  if (ids.has_buckets()) {
    due_ns_ = std::min(due_ns_, ids.oldest().start_ns + IdBucket::kLengthNs + config_.horizon_ns);
  }
  for (const CarriedOut& correction : corrections.all()) due_ns_ = std::min(due_ns_, needed_until_ns(correction));
  if (ids.runs.runs().size() > 1) {
    due_ns_ = std::min(due_ns_, ids.runs.kept_until_ns() + config_.horizon_ns + config_.levels[0].length_ns + 1);
  }
}

Aggregate Series::total(std::size_t level, const Bar& bar) {
  Aggregate sum = bar.sum;
  const std::size_t child = tree_[level].child;
  if (child == Level::kNone || bar.is_final) return sum;
  const std::int64_t end = end_ns(level, bar);
  const LevelBars& parts = bars(child);
  const LevelBars::Slots missing_parts =
      tree_[level].is_hopping() ? parts.all(bar.start_ns, end) : parts.forming(bar.start_ns, end);
  parts.read(missing_parts, [&](const Bar& part) { append(sum, total(child, part), part.start_ns); });
  return sum;
}

void Series::finish_restore(Changes& changes) {
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    LevelBars& here = bars(level);
    here.restore_forming();
    here.read(here.all(), [&](const Bar& bar) {
      newest_event_ns_ = std::max(newest_event_ns_, bar.sum.newest_event_ns);
      folded_ += bar.sum.trade_count;
      has_large_ |= bar.sum.volume >= kLarge || static_cast<UInt128>(bar.sum.high) >= kLarge;
    });
  }
  ids.find_newest();
  evict(watermark(), changes);  // pages have their bars until they end
  open_forming_above(changes);
  seal_restored();
  list_corrections(changes);  // one record of them all becomes one for each stretch
  find_due();
}

void Series::seal_restored() {
  StateText text;
  for (const LevelBars::Slot& slot : base_.final()) {
    if (slot.bar == nullptr) continue;
    write_bar_state(text.clear(), *slot.bar);
    base_.seal(*slot.bar, text.bytes());
  }
}

/// The changelog has no bar above another one as long as there is nothing of its own to keep.
void Series::open_forming_above(Changes& changes) {
  const std::int64_t watermark_ns = watermark();
  const auto is_forming = [&](std::int64_t end_ns) {
    return watermark_ns == kBeginning || end_ns + config_.grace_ns > watermark_ns;
  };
  for (std::size_t level = 0; level < tree_.size(); ++level) {
    for (const std::size_t parent : tree_[level].parents) {
      for (const LevelBars::Slot& slot : bars(level).all()) {  // which opening one above does not touch
        tree_[parent].each_start_at(slot.start_ns, [&](std::int64_t start_ns) {
          if (!slot.is_final() || is_forming(tree_[parent].end_ns(start_ns)))
            open(parent, start_ns, kBeginning, changes);
        });
      }
    }
  }
}

/// A bar has become final. One of a series that has older news to publish waits for its turn behind them. Gives its
/// bytes when all is done that is to be done with it.
Bytes Series::make_known(std::size_t level, Bar& bar, Changes& changes) {
  if (has_announced || changes.are_finals_kept) {
    announce(level, bar, changes);
    mark_dirty(level, bar, changes);
    return {};
  }
  const Bytes stored = changes.finals_to->take_final(*this, level, bar);
  if (stored.empty()) mark_dirty(level, bar, changes);
  return stored;
}

void Series::mark_dirty(std::size_t level, Bar& bar, Changes& changes) {
  bar.is_dirty = true;
  if (bar.is_announced) return;  // by which it is stored as well
  if (level == 0 && !bar.is_final) return touch(changes);
  if (!std::exchange(bar.is_listed, true)) changes.dirty.push_back({this, level, &bar});
}

void Series::announce(std::size_t level, Bar& bar, Changes& changes) {
  has_announced = true;
  if (!std::exchange(bar.is_announced, true)) changes.announced.push_back({this, level, &bar});
}

std::int64_t Series::end_ns(std::size_t level, const Bar& bar) const noexcept {
  return tree_[level].end_ns(bar.start_ns);
}

}  // namespace livetape::kernel
