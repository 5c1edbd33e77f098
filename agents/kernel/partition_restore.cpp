#include <algorithm>
#include <utility>

#include "corrupt_state.hpp"
#include "partition_fold.hpp"
#include "state_flaws.hpp"

/// How a partition's state comes back from its changelog.
namespace livetape::kernel {
namespace {

[[noreturn]] void corrupt(const Record& record, const std::string& what) {
  throw CorruptState("changelog offset " + std::to_string(record.offset) + ": " + what);
}

template <typename T>
T checked(std::optional<T> value, const Record& record) {
  if (!value) corrupt(record, "the record " + no_known_version());
  return std::move(*value);
}

/// Whether a bar's key names a window of the level.
bool is_of(const StateKey& key, const Level& level) {
  const bool is_named = level.has_sessions() || level.is_hopping();
  if (is_named != (key.kind == StateKind::named_bar)) return false;
  const bool is_its_name = is_named ? level.name == key.interval : level.length_ns == key.length_ns;
  return is_its_name && level.has_window(key.start_ns);
}

[[noreturn]] void refuse_levels(const std::pair<std::string, std::string>& whose, const std::string& then,
                                const std::string& wanted) {
  std::string where = whose.first.empty() ? "" : " of venue " + whose.first;
  if (!whose.second.empty()) where.append(" ").append(whose.second);
  throw CorruptState("the bars" + where + " in the state are of the intervals " + then + ", and now " + wanted +
                     " are configured");
}

std::string told(const Patience& patience) {
  return "a horizon of " + std::to_string(patience.horizon_ns) + " ns, trades out of order by " +
         std::to_string(patience.out_of_order_ns) + " ns and a grace of " + std::to_string(patience.grace_ns) + " ns";
}

void require_none(const Record& record, const char* flaw) {
  if (flaw != nullptr) corrupt(record, flaw);
}

}  // namespace

std::int64_t PartitionFold::restore(Bytes record_set, std::vector<AbortedTransaction> aborted,
                                    std::int64_t start_offset) {
  RecordSetReader reader(record_set, std::move(aborted), decompressor_, start_offset);
  while (const Record* record = reader.next()) {
    if (record->offset >= start_offset) restore_record(*record);  // a batch may begin with records that were deleted
  }
  if (!reader.error().empty()) {
    const std::int64_t offset = std::max(reader.next_offset(), start_offset);
    throw CorruptState("changelog offset " + std::to_string(offset) + ": " + reader.error());
  }
  return reader.next_offset();
}

void PartitionFold::restore_record(const Record& record) {
  if (!record.key) corrupt(record, "the record has no key");
  const StateKey key = checked(read_state_key(*record.key), record);
  switch (key.kind) {
    case StateKind::progress:
      return restore_progress(record);
    case StateKind::levels:
      if (!record.value) corrupt(record, "the intervals were deleted");
      restoring_.levels = checked(read_levels(*record.value), record);
      return;
    case StateKind::patience:
      if (!record.value) corrupt(record, "the settings of the state were deleted");
      restoring_.patience = checked(read_patience(*record.value), record);
      return;
    case StateKind::whole_from:
      if (!record.value) corrupt(record, "the time from which the log is whole was deleted");
      restoring_.whole_from_ns = checked(read_whole_from(*record.value), record);
      return;
    case StateKind::forgotten:
      if (!record.value) corrupt(record, "the venues that ids were forgotten of were deleted");
      restoring_.forgotten = checked(read_forgotten(*record.value), record);
      return require_none(record, flaw_of_venues(restoring_.forgotten));
    case StateKind::hours:
      if (!record.value) corrupt(record, "the hours were deleted");
      restoring_.hours = checked(read_hours(*record.value), record);
      return;
    case StateKind::rules:
      if (!record.value) corrupt(record, "the rules of venues were deleted");
      restoring_.rules = checked(read_rules(*record.value), record);
      return;
    case StateKind::bar:
    case StateKind::named_bar:
      return restore_bar(key, record);
    case StateKind::ids:
      return restore_ids(key, record);
    case StateKind::corrections:
      return restore_corrections(key, record);
    case StateKind::page:
      return restore_page(key, record);
    case StateKind::waiting:
      corrupt(record, "the state is of a join");
  }
}

void PartitionFold::restore_progress(const Record& record) {
  if (!record.value) corrupt(record, "progress was deleted");
  restoring_.progress = checked(read_progress(*record.value), record);
  require_none(record, flaw_of(*restoring_.progress, config_));
}

void PartitionFold::restore_bar(const StateKey& key, const Record& record) {
  require_none(record, flaw_of(key, config_));
  Series& owner = series(key.venue, key.instrument);
  const auto level = std::ranges::find_if(owner.levels(), [&](const Level& each) { return is_of(key, each); });
  if (level == owner.levels().end()) {
    const bool is_named = key.kind == StateKind::named_bar;
    const std::string interval = is_named ? std::string(key.interval) : std::to_string(key.length_ns) + " ns";
    corrupt(record, "a bar of " + interval + " from " + std::to_string(key.start_ns) +
                        ", a window of none of the configured intervals");
  }
  LevelBars& bars = owner.bars(static_cast<std::size_t>(level - owner.levels().begin()));
  if (record.value) {
    Bar bar = checked(read_bar_state(key.start_ns, *record.value), record);
    require_none(record, flaw_of(bar, config_));
    if (level == owner.levels().begin()) bar.sum.own_returns = {};  // its close is all that a base bar has of them
    bars.restore(std::move(bar));
  } else {
    bars.restore_without(key.start_ns);
  }
}

/// A page is older than any record of a bar that it has: that one comes later, and takes its place.
void PartitionFold::restore_page(const StateKey& key, const Record& record) {
  require_none(record, flaw_of(key, config_));
  const std::pair<std::int64_t, std::size_t> at{key.start_ns, key.chunk};
  if (!record.value) {
    if (restoring_.pages.erase(at) > 0) end_pages(key.start_ns);
    return;
  }
  const std::string where = "the page " + std::to_string(key.chunk) + " of " + std::to_string(key.start_ns) + ' ';
  std::int64_t bars_in_it = 0;
  StateText text;
  const bool is_page =
      read_page(key.start_ns, *record.value, [&](std::string_view venue, std::string_view instrument, const Bar& bar) {
        const char* flaw = bar.is_final ? flaw_of(bar, config_) : "a bar that forms";
        if (flaw == nullptr) flaw = flaw_of_names(venue, instrument);
        if (flaw != nullptr) corrupt(record, where + "has " + flaw);
        write_bar_state(text.clear(), bar);
        series(venue, instrument).bars(0).restore_paged(bar, text.bytes());
        ++bars_in_it;
      });
  if (!is_page) corrupt(record, where + no_known_version());
  restoring_.pages[at] = bars_in_it;
}

/// All pages of a minute end together, when none of their bars is in memory any more.
void PartitionFold::end_pages(std::int64_t minute_ns) {
  for (Series* each : series_.all()) {
    each->bars(0).restore_without_pages(minute_ns, minute_ns + StatePages::kLengthNs);
  }
}

void PartitionFold::restore_ids(const StateKey& key, const Record& record) {
  require_none(record, flaw_of(key, config_));
  const Restoring::ChunkKey at{&series(key.venue, key.instrument), key.start_ns, key.chunk};
  switch (key.id_kind) {
    case IdKind::ranges:
      restoring_.ranges.erase(at);
      if (record.value) restoring_.ranges[at] = checked(read_ranges(*record.value), record);
      return;
    case IdKind::hashes:
      restoring_.hashes.erase(at);
      if (record.value) restoring_.hashes[at] = checked(read_hashes(*record.value), record);
      return;
    case IdKind::runs:
      restoring_.runs.erase(at);
      if (record.value) restoring_.runs[at] = checked(read_runs(*record.value), record);
      return;
  }
}

void PartitionFold::restore_corrections(const StateKey& key, const Record& record) {
  require_none(record, flaw_of(key, config_));
  const std::pair<Series*, std::int64_t> at{&series(key.venue, key.instrument), key.stretch};
  restoring_.corrections.erase(at);
  if (!record.value) return;
  std::vector<CarriedOut> part = checked(read_corrections(*record.value), record);
  require_none(record, flaw_of(part, key.stretch, config_));
  restoring_.corrections[at] = std::move(part);
}

std::optional<Progress> PartitionFold::restored() {
  if (!restoring_.progress) {
    if (!series_.all().empty() || !restoring_.pages.empty()) {
      throw CorruptState("the changelog has state but no progress record");
    }
    return std::nullopt;
  }
  check_levels();
  check_patience();
  check_rules();
  for (const auto& [at, bars_in_it] : restoring_.pages) pages_.restore(at.first, at.second, bars_in_it);
  join_chunks();
  join_runs();
  join_corrections();
  for (const VenueClock& clock : restoring_.progress->clocks) venue(clock.venue).clock_ns = clock.time_ns;
  for (const std::string& name : restoring_.forgotten) venue(name).has_forgotten = true;
  logged_forgotten_ = restoring_.forgotten.size();
  series_.sort();
  for (Series* each : series_.all()) {
    each->finish_restore(changes_);
    check_hours(each->home.name, each->instrument, each->watermark(), each->newest_event_ns());
    check_parents(*each);
    each->home.schedule(*each);
  }
  restore_hours();
  std::erase_if(changes_.evicted, [](const EvictedRef& gone) { return !gone.is_logged; });  // left memory long ago
  next_offset_ = flushed_offset_ = restoring_.progress->next_offset;
  origin_.generation = restoring_.progress->generation;
  are_levels_logged_ = restoring_.levels == config_.level_names();
  is_patience_logged_ = restoring_.patience == patience();
  is_less_patient_ = !is_patience_logged_;
  are_rules_logged_ = restoring_.rules == config_.rules();
  whole_from_ns_ = logged_whole_from_ns_ = restoring_.whole_from_ns;
  return std::exchange(restoring_, {}).progress;
}

/// The bars of an interval that is new would lack the trades from before, and nobody could tell.
void PartitionFold::check_levels() const {
  const LevelNames& before = restoring_.levels;
  if (before.empty()) return;
  const LevelNames now = config_.level_names();
  for (const LevelNames* names : {&before, &now}) {
    for (const auto& [whose, intervals] : *names) {
      const auto is_of_venue = [&venue = whose.first](const Series* each) { return each->home.name == venue; };
      if (!whose.first.empty() && std::ranges::none_of(series_.all(), is_of_venue)) continue;
      const std::string& then = names_of(before, whose);
      const std::string& wanted = names_of(now, whose);
      if (then != wanted) refuse_levels(whose, then, wanted);
    }
  }
}

/// What was late before must stay so: its bar and its id are forgotten, and it would be taken for the first trade of
/// its window, or count twice. What was final must stay so too.
void PartitionFold::check_patience() const {
  if (!restoring_.patience) return;  // of a reset, which has forgotten nothing yet, or of a release that did not tell
  const Patience before = *restoring_.patience;
  const Patience now = patience();
  const bool is_longer = now.horizon_ns > before.horizon_ns || now.out_of_order_ns > before.out_of_order_ns ||
                         now.grace_ns > before.grace_ns;
  // A bar that overlaps others is not in the state while it forms, and by other times is not found to form.
  const bool forms_otherwise = now.out_of_order_ns != before.out_of_order_ns || now.grace_ns != before.grace_ns;
  if (!is_longer && !(forms_otherwise && config_.has_hopping())) return;
  throw CorruptState("the state was kept for " + told(before) + ", and lacks what " + told(now) +
                     ", as configured now, would need");
}

/// Sums and ids have no way back to other rules. A venue that is new to them was folded by those of all others.
void PartitionFold::check_rules() const {
  if (restoring_.rules.empty()) return;  // of a reset, which has no trades yet, or of a release that did not tell
  for (const Series* each : series_.all()) {
    const auto changed = changed_rules(rules_of(restoring_.rules, each->home.name), each->home.rules);
    if (!changed) continue;
    throw CorruptState("the trades of venue " + each->home.name +
                       " in the state were counted by other rules than are configured: " + *changed);
  }
}

/// A bar of other hours would lack trades from before, or have some that are not of it; one that was final would get
/// others with no revision.
void PartitionFold::check_hours(const std::string& venue_name, const std::string& instrument, std::int64_t watermark_ns,
                                std::int64_t newest_ns) const {
  const SessionHours* before = hours_of(restoring_.hours, venue_name, instrument);
  if (before == nullptr || watermark_ns == kBeginning) return;
  const Span may_change{watermark_ns - std::max(config_.horizon_ns, config_.grace_ns),
                        std::max(watermark_ns, newest_ns)};
  const auto changed = changed_hours(*before, config_.levels_of(venue_name, instrument), may_change);
  if (!changed) return;
  throw CorruptState("the bars of venue " + venue_name + (instrument.empty() ? "" : " ") + instrument +
                     " in the state are by other hours than are configured: " + *changed + " ns");
}

/// The hours as they are now, where the changelog tells of them: what was long past, or is to come, may be others. An
/// instrument may have been forgotten since it traded, so that a venue's clock tells of which hours bars were.
void PartitionFold::restore_hours() {
  for (const auto& [whose, before] : restoring_.hours) {
    if (const Venue* home = find_venue(whose.first)) check_hours(whose.first, whose.second, home->clock_ns, kBeginning);
    const auto levels = config_.session_levels.find(whose);
    if (levels != config_.session_levels.end()) hours_[whose] = session_hours(levels->second, before.covered);
  }
  are_hours_logged_ = hours_ == restoring_.hours;
}

/// What comes for a bar must find the ones above it, unless it is too late for all of them.
void PartitionFold::check_parents(Series& restored) const {
  const std::int64_t watermark_ns = restored.watermark();
  for (std::size_t number = 0; number < restored.levels().size(); ++number) {
    const Level& level = restored.level(number);
    const auto check = [&](std::int64_t bar_ns, bool is_final) {
      if (is_final && config_.is_late(level.end_ns(bar_ns) - 1, watermark_ns)) return;
      for (const std::size_t parent : level.parents) {
        restored.level(parent).each_start_at(bar_ns, [&](std::int64_t start_ns) {
          if (restored.bars(parent).has(start_ns)) return;
          throw CorruptState("a bar of " + restored.instrument + " is in no bar of " + restored.level(parent).name);
        });
      }
    };
    for (const LevelBars::Slot& slot : restored.bars(number).final()) check(slot.start_ns, true);
    for (const LevelBars::Slot& slot : restored.bars(number).forming()) check(slot.start_ns, false);
  }
}

void PartitionFold::join_chunks() {
  for (const auto& [at, part] : restoring_.ranges) {
    const auto& [owner, bucket_ns, chunk] = at;
    owner->ids.restore_ranges(bucket_ns, chunk, part);
    const char* flaw = flaw_of(owner->ids.bucket(bucket_ns).numbers);
    if (flaw != nullptr) throw CorruptState(std::string("the changelog has ") + flaw);
  }
  for (const auto& [at, part] : restoring_.hashes) {
    const auto& [owner, bucket_ns, chunk] = at;
    owner->ids.restore_hashes(bucket_ns, chunk, part);
  }
}

void PartitionFold::join_runs() {
  for (const auto& [at, part] : restoring_.runs) {
    const auto& [owner, bucket_ns, chunk] = at;
    owner->ids.restore_runs(chunk, part);
    const char* const flaw = flaw_of(owner->ids.runs.runs(), config_.time_bound_ns());
    if (flaw != nullptr) throw CorruptState(std::string("the changelog has ") + flaw);
  }
}

void PartitionFold::join_corrections() {
  for (const auto& [at, part] : restoring_.corrections) {
    const auto& [owner, stretch] = at;
    if (owner->corrections.restore(stretch, part)) continue;
    throw CorruptState("the changelog has corrections that are out of order");
  }
}

}  // namespace livetape::kernel
