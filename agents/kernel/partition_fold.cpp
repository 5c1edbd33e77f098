#include "partition_fold.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "names.hpp"

namespace livetape::kernel {
namespace {

constexpr std::string_view kOneSecond = "1s";

/// Visits the bars that are listed, and brings those to come near.
template <typename Visit>
void each_bar(const std::vector<BarRef>& refs, Visit visit) {
  constexpr std::size_t kAhead = 6;
  for (std::size_t at = 0; at < refs.size(); ++at) {
    if (at + kAhead < refs.size()) {
      refs[at + kAhead].series->prefetch();
      prefetch_object(refs[at + kAhead].bar);
    }
    visit(refs[at]);
  }
}

}  // namespace

PartitionFold::PartitionFold(FoldConfig config, std::shared_ptr<const WriterSchemas> schemas, Origin origin)
    : config_(std::move(config)),
      time_bound_ns_(config_.time_bound_ns()),
      schemas_(std::move(schemas)),
      origin_(std::move(origin)) {}

void PartitionFold::hand_out_trades() {
  accepted_ = std::make_unique<AcceptedTrades>(config_.levels.front().length_ns);
  changes_.are_finals_kept = true;
}

std::vector<std::shared_ptr<const TradeBatch>> PartitionFold::take_accepted() {
  return accepted_ == nullptr ? std::vector<std::shared_ptr<const TradeBatch>>{} : accepted_->take();
}

bool PartitionFold::has_bar(const std::string& venue, const std::string& instrument, std::size_t level,
                            std::int64_t start_ns) {
  const Venue* home = find_venue(venue);
  Series* found = home == nullptr ? nullptr : series_.find(*home, instrument);
  return found != nullptr && found->bars(level).has(start_ns);
}

FoldOutcome PartitionFold::fold(Bytes record_set, std::vector<AbortedTransaction> aborted, std::int64_t start_offset) {
  FoldOutcome outcome;
  RecordSetReader reader(record_set, std::move(aborted), decompressor_, start_offset);
  next_offset_ = std::max(next_offset_, start_offset);
  while (!fold_records(reader, start_offset, outcome)) {
    if (!pass_over(reader, start_offset, outcome)) break;
  }
  outcome.next_offset = next_offset_;
  outcome.finals = std::exchange(changes_.finals, 0);
  outcome.revisions = std::exchange(changes_.revisions, 0);
  tell_series(outcome);
  return outcome;
}

void PartitionFold::tell_series(FoldOutcome& outcome) {
  const std::vector<Series*>& all = series_.all();
  for (; told_series_ < all.size(); ++told_series_) {
    const Series& added = *all[told_series_];
    outcome.new_series.emplace_back(added.home.name, added.instrument);
  }
}

/// Folds up to the end of the set or a record of an unknown schema; false at a batch that cannot be read.
bool PartitionFold::fold_records(RecordSetReader& reader, std::int64_t start_offset, FoldOutcome& outcome) {
  bool is_read = false;
  std::size_t first = 0;
  std::size_t end = 0;
  const auto at = [&](std::size_t number) -> Upcoming& { return upcoming_[number % kAhead]; };
  while (true) {
    if (!reader.is_at_batch_end() || (first == end && !is_read)) {
      Upcoming& upcoming = at(end);
      is_read = !reader.next_into(upcoming.record);
      if (is_read || upcoming.record.offset < start_offset) continue;
      decode_ahead(upcoming);
      ++end;
      if (end - first < kAhead) continue;
    } else if (first == end) {
      break;
    }
    bring_near(first, end);
    const Upcoming& next = at(first++);
    if (next.what >= What::correction && must_wait(next, outcome)) return true;
    if (whole_from_ns_ == kNever) whole_from_ns_ = whole_from(next.record);
    if (is_less_patient_) catch_up(next.record.offset);
    fold_record(next, outcome);
    ++outcome.records;
    next_offset_ = next.record.offset + 1;
  }
  next_offset_ = std::max(next_offset_, reader.next_offset());  // there may be no record at the end of a batch
  return reader.error().empty();
}

/// Whether a record cannot be folded before its schema, or the trades of a bar that it corrects, are brought.
bool PartitionFold::must_wait(const Upcoming& upcoming, FoldOutcome& outcome) {
  if (upcoming.what == What::of_unknown_schema) {
    outcome.needs_schema = upcoming.unknown_schema;
    return true;
  }
  outcome.needs_history = history_needed(upcoming);
  return outcome.needs_history.has_value();
}

/// From when on windows are whole in a log of which this is the first record: what is gone had come to the log by its
/// time, and no trade is folded that is dated further past its receipt than `max_ahead_ns`. Clocks cannot tell: they
/// stand still while one of a venue's connections is away, and trades of the others go on.
std::int64_t PartitionFold::whole_from(const Record& first) const noexcept {
  constexpr Int128 kNsPerMs = 1'000'000;
  const Int128 time_ns = kNsPerMs * (Int128{first.timestamp_ms} + 1) + config_.max_ahead_ns;
  return static_cast<std::int64_t>(std::clamp<Int128>(time_ns, kBeginning, kNever - 1));
}

/// A batch that cannot be read is one dead letter, as it came; false when nobody can tell where the next one begins.
bool PartitionFold::pass_over(RecordSetReader& reader, std::int64_t start_offset, FoldOutcome& outcome) {
  std::string reason = reader.error();
  const std::optional<DamagedBatch> batch = reader.pass_over();
  if (!batch) {
    outcome.corrupt = std::move(reason);
    return false;
  }
  if (reader.next_offset() <= start_offset) return true;
  next_offset_ = reader.next_offset();
  ++outcome.dead;
  RefusedRecord refused;
  refused.value = copy_of(batch->bytes);
  refused.offset = batch->first_offset;
  refused.reason = "the record batch up to offset " + std::to_string(next_offset_ - 1) + " cannot be read: " + reason;
  dead_.push_back(std::move(refused));
  return true;
}

void PartitionFold::decode_ahead(Upcoming& upcoming) {
  upcoming.home = nullptr;
  upcoming.guess = nullptr;
  const auto is_refused = [&](const char* flaw) {
    upcoming.what = What::refused;
    upcoming.flaw = flaw;
  };
  const WireHeader header = read_wire_header(upcoming.record);
  if (header.flaw != nullptr) return is_refused(header.flaw);
  const WriterSchemas::Entry* writer = schema(header.schema_id);
  if (writer == nullptr) {
    upcoming.what = What::of_unknown_schema;
    upcoming.unknown_schema = header.schema_id;
    return;
  }
  if (!writer->plan) return is_refused(writer->refusal.c_str());
  const DecodeError error = decode(*writer->plan, header.body, upcoming.decoded, upcoming.record.readable_end);
  if (error != DecodeError::none) return is_refused(describe(error));
  if (writer->plan->kind() != RecordKind::trade) {
    upcoming.what = writer->plan->kind() == RecordKind::clock ? What::clock : What::quote;
    return;
  }
  upcoming.what = upcoming.decoded.action == Action::trade ? What::trade : What::correction;
  upcoming.home = find_venue(upcoming.decoded.venue);
  if (upcoming.home != nullptr) upcoming.hash = series_.prefetch(*upcoming.home, upcoming.decoded.instrument);
}

/// What the records from `first` to before `end` need comes near step by step, so many records before their turn.
void PartitionFold::bring_near(std::size_t first, std::size_t end) noexcept {
  constexpr std::size_t kSeriesAhead = 20;
  constexpr std::size_t kBarAhead = 8;
  if (first + kSeriesAhead < end) guess_series(upcoming_[(first + kSeriesAhead) % kAhead]);
  if (first + kBarAhead >= end) return;
  const Upcoming& next = upcoming_[(first + kBarAhead) % kAhead];
  if (next.guess != nullptr) next.guess->prefetch_bar_for_trade(next.decoded.event_time_ns);
}

void PartitionFold::guess_series(Upcoming& upcoming) const noexcept {
  if (upcoming.home == nullptr) return;
  upcoming.guess = series_.guess(upcoming.hash);
  if (upcoming.guess != nullptr) upcoming.guess->prefetch_for_trade();
}

/// What would be final by now is, before another bar can be: of one instrument they become final in the order of time.
void PartitionFold::catch_up(std::int64_t offset) {
  is_less_patient_ = false;
  each_series(series_.all(), [&](Series& each) {
    const std::int64_t watermark_ns = each.watermark();
    if (watermark_ns >= each.due_ns()) each.advance(watermark_ns, offset, changes_);
    each.home.schedule(each);
  });
}

void PartitionFold::fold_record(const Upcoming& upcoming, FoldOutcome& outcome) {
  if (upcoming.what == What::trade || upcoming.what == What::quote) {
    fold_trade(upcoming, outcome);
  } else if (upcoming.what == What::clock) {
    fold_clock(upcoming.record, upcoming.decoded, outcome);
  } else if (upcoming.what == What::correction) {
    fold_correction(upcoming, outcome);
  } else {
    refuse(upcoming.record, upcoming.flaw, outcome);
  }
}

void PartitionFold::fold_trade(const Upcoming& upcoming, FoldOutcome& outcome) {
  const Record& record = upcoming.record;
  const Decoded& decoded = upcoming.decoded;
  const Venue* home = upcoming.home != nullptr ? upcoming.home : find_venue(decoded.venue);
  Series* found = upcoming.guess;
  if (home != nullptr && (found == nullptr || !found->is(*home, decoded.instrument))) {
    found = series_.find(*home, decoded.instrument);
  }
  const bool is_next = found != nullptr && accepted_ == nullptr && flaw(record, decoded) == nullptr &&
                       found->fold_next(decoded, record.offset, changes_);
  if (!is_next) return fold_other_trade(upcoming, found, outcome);
  folded(*found, upcoming, outcome);
}

/// Folds a trade that is not the next one of the series that it was found to be of; null when there is none yet.
void PartitionFold::fold_other_trade(const Upcoming& upcoming, Series* found, FoldOutcome& outcome) {
  const Record& record = upcoming.record;
  const Decoded& decoded = upcoming.decoded;
  if (const char* reason = flaw(record, decoded)) return refuse(record, reason, outcome);
  const TradeIdView& id = decoded.trade_id;
  if (!id.is_number() && !is_name(id.text)) return refuse(record, name_flaw("trade_id"), outcome);
  if (found == nullptr) {
    if (!is_name(decoded.venue)) return refuse(record, name_flaw("venue"), outcome);
    if (!is_name(decoded.instrument)) return refuse(record, name_flaw("instrument"), outcome);
    found = &series(decoded.venue, decoded.instrument);
  }
  const std::int64_t watermark_ns = found->watermark();
  if (found->is_late(decoded.event_time_ns, watermark_ns)) return send_late(record, outcome);
  if (found->ids.contains(id, decoded.event_time_ns)) {
    ++outcome.duplicates;
    return;
  }
  const Trade trade = trade_of(record, decoded, found->home);
  if (found->would_overflow(trade)) return refuse(record, kOverflow, outcome);

  found->fold(trade, watermark_ns, changes_);
  if (accepted_ != nullptr) accepted_->add(*found, trade);
  folded(*found, upcoming, outcome);
}

/// Counts a trade that was folded, and lets the watermark that it moved do its work.
void PartitionFold::folded(Series& target, const Upcoming& upcoming, FoldOutcome& outcome) {
  ++outcome.trades;
  outcome.newest_event_time_ns = std::max(outcome.newest_event_time_ns, upcoming.decoded.event_time_ns);
  const std::int64_t moved_ns = target.watermark();
  if (moved_ns >= target.due_ns()) target.advance(moved_ns, upcoming.record.offset, changes_);
  target.home.schedule(target);
}

Trade PartitionFold::trade_of(const Record& record, const Decoded& decoded, const Venue& home) {
  const auto size = static_cast<UInt128>(decoded.size);
  return {
      .id = decoded.trade_id,
      .order = {decoded.has_trade_seq ? decoded.trade_seq : decoded.event_time_ns, record.offset},
      .price = decoded.price,
      .size = size,
      .notional = UInt256::product(static_cast<UInt128>(decoded.price), size),
      .event_time_ns = decoded.event_time_ns,
      .offset = record.offset,
      .aggressor = decoded.aggressor,
      .counts_for = decoded.conditions.empty() ? CountsFor{} : home.rules.counts_for(decoded.conditions),
      .has_own_order = decoded.has_trade_seq,
  };
}

void PartitionFold::send_late(const Record& record, FoldOutcome& outcome) {
  ++outcome.late;
  late_.push_back(refused(record, {}));
}

void PartitionFold::fold_clock(const Record& record, const Decoded& decoded, FoldOutcome& outcome) {
  if (is_out_of_range(decoded.event_time_ns)) {
    return refuse(record, "the clock's time is out of range", outcome);
  }
  if (is_ahead_of_log(record, decoded.event_time_ns, config_.max_ahead_ns)) {
    return refuse(record, "the clock's time is too far ahead of when it came to the log", outcome);
  }
  if (!is_name(decoded.venue)) return refuse(record, name_flaw("venue"), outcome);
  ++outcome.clocks;
  Venue& home = venue(decoded.venue);
  home.clock_ns = std::max(home.clock_ns, decoded.event_time_ns);
  home.each_due([&](Series& waiting) {
    const std::int64_t watermark_ns = waiting.watermark();
    if (watermark_ns >= waiting.due_ns()) waiting.advance(watermark_ns, record.offset, changes_);
  });
}

const char* PartitionFold::flaw(const Record& record, const Decoded& decoded) const noexcept {
  const bool has_amounts = decoded.action != Action::cancel;
  if (has_amounts && decoded.price <= 0) return "price is not positive";
  if (has_amounts && decoded.size <= 0) return "size is not positive";
  if (is_out_of_range(decoded.event_time_ns)) return "event time is out of range";
  std::int64_t ahead_ns = 0;
  const bool is_beyond = __builtin_sub_overflow(decoded.event_time_ns, decoded.receive_time_ns, &ahead_ns);
  if (is_beyond ? decoded.receive_time_ns < 0 : ahead_ns > config_.max_ahead_ns) {
    return "event time is too far ahead of its receive time";
  }
  return is_far_ahead_of_log(record, decoded.event_time_ns) ? kFarAhead : nullptr;
}

void PartitionFold::refuse(const Record& record, std::string reason, FoldOutcome& outcome) {
  ++outcome.dead;
  dead_.push_back(refused(record, std::move(reason)));
}

std::size_t PartitionFold::TextHash::operator()(std::string_view text) const noexcept {
  return XXH3_64bits(text.data(), text.size());
}

Venue* PartitionFold::look_up_venue(std::string_view name) noexcept {
  const auto found = venues_.find(name);
  if (found != venues_.end()) last_venue_ = found->second.get();
  return found == venues_.end() ? nullptr : last_venue_;
}

Venue& PartitionFold::venue(std::string_view name) {
  if (Venue* found = find_venue(name)) return *found;
  const auto rules = config_.venues.find(name);
  auto made = std::make_unique<Venue>(std::string(name), venues_.size(),
                                      rules == config_.venues.end() ? config_.other_venues : rules->second);
  return *venues_.emplace(made->name, std::move(made)).first->second;
}

Series& PartitionFold::series(std::string_view venue_name, std::string_view instrument) {
  Venue& home = venue(venue_name);
  if (Series* found = series_.find(home, instrument)) return *found;
  return series_.insert(std::string(instrument), home, config_, bar_store_);
}

const WriterSchemas::Entry* PartitionFold::schema(std::int32_t id) {
  if (id != last_schema_id_ || last_schema_ == nullptr || !last_schema_->plan) {  // a refused one may be met anew
    last_schema_ = schemas_->find(id);
    last_schema_id_ = id;
  }
  return last_schema_;
}

std::vector<PackedBatch> PartitionFold::live() {
  for (Series* changed : changes_.live) {
    changed->is_live_listed = false;
    write_live_of(*changed);
  }
  changes_.live.clear();
  return live_.take();
}

std::vector<PackedBatch> PartitionFold::live_all() {
  for (Series* each : series_.all()) write_live_of(*each);
  return live_.take();
}

void PartitionFold::write_live_of(Series& changed) {
  std::vector<LiveBar> bars;
  for (std::size_t level = 0; level < changed.levels().size(); ++level) {
    changed.bars(level).each_forming([&](const Bar& bar) {
      if (bar.start_ns < whole_from_ns_) return;
      bars.push_back({&changed.level(level), bar.start_ns, bar.missing, bar.seq, changed.total(level, bar)});
    });
  }
  if (!bars.empty()) write_live(live_, origin_, changed, bars);
}

Flush PartitionFold::take_flush() {
  if (awaited_ && awaited_->offset < next_offset_) awaited_.reset();
  Flush flush;
  flush.next_offset = next_offset_;
  flush.is_empty = next_offset_ == flushed_offset_;
  if (flush.is_empty) return flush;
  if (!std::exchange(are_levels_logged_, true)) changelog_.levels(config_.level_names());
  if (!std::exchange(is_patience_logged_, true)) changelog_.patience(patience());
  if (!std::exchange(are_rules_logged_, true)) changelog_.rules(config_.rules());
  if (std::exchange(logged_whole_from_ns_, whole_from_ns_) != whole_from_ns_) changelog_.whole_from(whole_from_ns_);
  pages_.flush();  // before any record that may be newer than what a page has of a bar
  take_bars(flush);
  take_state(flush);
  flush.late = std::exchange(late_, {});
  flush.dead = std::exchange(dead_, {});
  flushed_offset_ = next_offset_;
  return flush;
}

Bytes PartitionFold::take_final(Series& series, std::size_t level, Bar& bar) {
  publish(series, level, bar);
  if (level != 0 || bar.is_logged) return {};
  bar.is_paged = true;
  bar.is_dirty = false;
  return pages_.add(series, bar);
}

void PartitionFold::forget_final(std::int64_t start_ns) { pages_.forget(start_ns); }

void PartitionFold::publish(const Series& series, std::size_t level, const Bar& bar) {
  if (bar.start_ns < whole_from_ns_) return;
  const Level& its_level = series.level(level);
  write_bar(its_level.name == kOneSecond ? bars_1s_ : bars_, origin_, series, its_level, bar);
  if (accepted_ != nullptr) published_.push_back(published_bar(series, level, bar));
}

/// What `take_final` did not publish, in the order of seq, so that each series is written in it. Several revisions of a
/// bar are its last.
void PartitionFold::take_bars(Flush& flush) {
  std::ranges::stable_sort(changes_.announced, {}, [](const BarRef& ref) { return ref.bar->seq; });
  each_bar(changes_.announced, [&](const BarRef& ref) {
    Bar& bar = *ref.bar;
    bar.is_announced = false;
    ref.series->has_announced = false;
    publish(*ref.series, ref.level, bar);
    if (!bar.is_gone) store(ref);
  });
  changes_.announced.clear();
  if (accepted_ != nullptr) {
    for (const EvictedRef& gone : changes_.evicted) {
      flush.evicted.push_back(evicted_bar(*gone.series, gone.level, gone.start_ns));
    }
  }
  flush.published = std::exchange(published_, {});
  flush.bars = bars_.take();
  flush.bars_1s = bars_1s_.take();
}

/// Stores a bar, and keeps one of the base level that is final as no more than its bytes.
void PartitionFold::store(const BarRef& ref) {
  Bar& bar = *ref.bar;
  bar.is_dirty = false;
  bar.is_logged = true;
  const Bytes stored = changelog_.bar(*ref.series, ref.series->level(ref.level), bar);
  if (ref.level == 0 && bar.is_final && !bar.is_listed) ref.series->seal(bar, stored);
}

void PartitionFold::take_state(Flush& flush) {
  each_bar(changes_.dirty, [&](const BarRef& ref) {
    ref.bar->is_listed = false;
    if (ref.bar->is_dirty && !ref.bar->is_gone) store(ref);  // else it was stored since
  });
  each_series(changes_.touched, [&](Series& changed) {
    changed.is_touched = false;
    changed.home.newest_event_ns = std::max(changed.home.newest_event_ns, changed.newest_event_ns());
    changed.bars(0).each_forming([&](Bar& bar) {
      if (bar.is_dirty) store({&changed, 0, &bar});
    });
    changelog_.changed_ids(changed.home.name, changed.instrument, changed.ids);
  });
  for (Series* changed : changes_.corrections) {
    changed->are_corrections_listed = false;
    changed->corrections.take_changed([&](std::int64_t stretch, std::span<const CarriedOut> part) {
      changelog_.corrections(*changed, stretch, part);
    });
  }
  for (const EvictedRef& ref : changes_.evicted) {
    if (ref.is_logged) changelog_.bar_gone(*ref.series, ref.series->level(ref.level), ref.start_ns);
  }
  for (const auto& [owner, bucket_ns, kind, chunk] : changes_.evicted_ids) {
    changelog_.ids_gone({owner->home.name, owner->instrument, bucket_ns, kind, chunk});
  }
  for (Bar* gone : changes_.gone) bar_store_.give_back(*gone);
  changes_.dirty.clear();
  changes_.gone.clear();
  changes_.touched.clear();
  changes_.corrections.clear();
  changes_.evicted.clear();
  changes_.evicted_ids.clear();
  take_forgotten();
  take_hours();

  Progress progress{origin_.epoch, origin_.generation, next_offset_, {}};
  for (const auto& [name, home] : venues_) {
    if (home->clock_ns != kBeginning) progress.clocks.push_back({name, home->clock_ns});
  }
  changelog_.progress(progress);
  flush.changelog = changelog_.take();
}

/// Of which venues ids were forgotten, where it is one more than the changelog has.
void PartitionFold::take_forgotten() {
  std::vector<std::string> names;
  for (const auto& [name, home] : venues_) {
    if (home->has_forgotten) names.push_back(name);
  }
  if (std::exchange(logged_forgotten_, names.size()) == names.size()) return;
  std::ranges::sort(names);  // the same bytes whatever was restored first
  changelog_.forgotten(names);
}

/// By which hours bars are folded, a day around the newest time, so that it is written once a day.
void PartitionFold::take_hours() {
  constexpr std::int64_t kDayNs = 86'400'000'000'000;
  const std::int64_t back_ns = kDayNs + std::max(config_.horizon_ns, config_.grace_ns);
  for (const auto& [whose, levels] : config_.session_levels) {
    const Venue* home = find_venue(whose.first);
    if (home == nullptr || home->newest_ns() == kBeginning) continue;
    SessionHours& hours = hours_.try_emplace(whose, SessionHours{{kBeginning, kBeginning}, {}}).first->second;
    if (hours.covered.end_ns >= home->newest_ns()) continue;
    // An instrument may be behind the others of its venue, and behind its clock it is not.
    const std::int64_t oldest_ns = home->clock_ns == kBeginning ? home->newest_ns() : home->clock_ns;
    hours = session_hours(levels, {oldest_ns - back_ns, home->newest_ns() + kDayNs});
    are_hours_logged_ = false;
  }
  if (!std::exchange(are_hours_logged_, true)) changelog_.hours(hours_);
}

}  // namespace livetape::kernel
