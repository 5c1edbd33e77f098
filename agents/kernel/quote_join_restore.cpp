#include <algorithm>
#include <utility>

#include "corrupt_state.hpp"
#include "quote_join.hpp"
#include "state_flaws.hpp"

/// How a join's state comes back from its changelog.
namespace livetape::kernel {
namespace {

constexpr std::int64_t kNothing = -1;  // was flushed: what is gone is to be told once

template <typename T>
T checked(std::optional<T> value, const Record& record) {
  if (!value) {
    throw CorruptState("changelog offset " + std::to_string(record.offset) + ": the record is of no known format");
  }
  return std::move(*value);
}

}  // namespace

std::int64_t QuoteJoin::restore(Bytes record_set, std::vector<AbortedTransaction> aborted, std::int64_t start_offset) {
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

void QuoteJoin::restore_record(const Record& record) {
  const StateKey key = checked(record.key ? read_state_key(*record.key) : std::nullopt, record);
  if (key.kind == StateKind::progress) {
    restoring_.progress = checked(record.value ? read_join_progress(*record.value) : std::nullopt, record);
    return;
  }
  if (key.kind == StateKind::waiting) {
    restoring_.waiting.erase(key.stretch);
    if (record.value) restoring_.waiting[key.stretch] = checked(read_waiting(key.stretch, *record.value), record);
    return;
  }
  if (key.kind != StateKind::ids) checked(std::optional<StateKey>(), record);
  restore_ids(key, record);
}

void QuoteJoin::restore_ids(const StateKey& key, const Record& record) {
  const Restoring::ChunkKey at{&instrument(venue(key.venue), key.instrument), key.start_ns, key.chunk};
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

/// Puts the chunks of ids together, which come in their order.
void QuoteJoin::join_ids() {
  for (const auto& [at, part] : restoring_.ranges) {
    const auto& [owner, bucket_ns, chunk] = at;
    owner->ids.restore_ranges(bucket_ns, chunk, part);
  }
  for (const auto& [at, part] : restoring_.hashes) {
    const auto& [owner, bucket_ns, chunk] = at;
    owner->ids.restore_hashes(bucket_ns, chunk, part);
  }
  for (const auto& [at, part] : restoring_.runs) {
    const auto& [owner, bucket_ns, chunk] = at;
    owner->ids.restore_runs(chunk, part);
    const char* const flaw = flaw_of(owner->ids.runs.runs(), config_.time_bound_ns());
    if (flaw != nullptr) throw CorruptState(std::string("the changelog has ") + flaw);
  }
  for (const auto& [name, home] : venues_) {
    for (const auto& [instrument_name, each] : home->instruments) each->ids.find_newest();
  }
}

std::optional<JoinProgress> QuoteJoin::restored(std::int64_t trades_begin, std::int64_t quotes_begin) {
  if (!restoring_.progress) {
    if (!venues_.empty() || !restoring_.waiting.empty()) {
      throw CorruptState("the changelog has state but no progress record");
    }
    trades_.next_offset = flushed_trades_ = trades_begin;
    quotes_.next_offset = flushed_quotes_ = parts_.front().first_offset = quotes_begin;
    return std::nullopt;
  }
  join_ids();
  JoinProgress progress = *std::exchange(restoring_.progress, {});
  for (const auto& [stretch, runs] : restoring_.waiting) {
    progress.waiting.insert(progress.waiting.end(), runs.begin(), runs.end());
  }
  logged_waiting_ = std::exchange(restoring_, {}).waiting;
  progress.leave_out(trades_begin, quotes_begin);
  progress.leave_out_shorter_kept(config_.quote_horizon_ns, config_.max_quote_age_ns);
  for (const VenueClock& clock : progress.trade_clocks) venue(clock.venue).trade_clock_ns = clock.time_ns;
  for (const VenueClock& known : progress.ids_from) {
    JoinVenue& home = venue(known.venue);
    home.ids_from_ns = std::max(known.time_ns, home.trade_clock_ns - config_.horizon_ns);
  }
  for (const VenueClock& clock : progress.quote_clocks) venue(clock.venue).quote_clock_ns = clock.time_ns;
  for (const VenueClock& passed : progress.quotes_passed) venue(passed.venue).passed_quotes_ns = passed.time_ns;
  const bool is_whole = progress.trades_gone == 0 && progress.quotes_gone == 0;
  flushed_trades_ = is_whole ? progress.trades_reached : kNothing;
  trades_.reached = progress.trades_reached;
  quotes_.reached = progress.quotes_reached;
  trades_.next_offset = progress.trades_from();
  quotes_.next_offset = flushed_quotes_ = progress.quotes_from;
  waiting_again_ = {progress.waiting.begin(), progress.waiting.end()};
  parts_.front() = {progress.quotes_from, progress.quote_clocks, {}, 0, progress.quotes_from_ms};
  trades_.appended_ms = progress.trades_from_ms;
  trades_.reached_ms = progress.trades_reached_ms;
  quotes_.appended_ms = progress.quotes_from_ms;
  quotes_.reached_ms = progress.quotes_reached_ms;
  return progress;
}

}  // namespace livetape::kernel
