#include <algorithm>
#include <utility>

#include "correction_identity.hpp"
#include "names.hpp"
#include "partition_fold.hpp"

/// Corrections and cancellations. A bar keeps sums, and sums have no way back: its trades are read from the log again.
namespace livetape::kernel {

namespace {

/// Of a bar that has other trades than the log gives: summed up from those it would lack the others.
constexpr const char* kTradesAreGone = "the log no longer has the trades of its bar";

}  // namespace

std::optional<std::int64_t> PartitionFold::history_needed(const Upcoming& upcoming) {
  const Decoded& decoded = upcoming.decoded;
  const Venue* home = find_venue(decoded.venue);
  Series* target = home == nullptr ? nullptr : series_.find(*home, decoded.instrument);
  const TradeIdView id = TradeIdView::parse(decoded.refers_to);
  if (target == nullptr || flaw(upcoming.record, decoded) != nullptr || !target->ids.contains(id)) return {};

  const std::int64_t offset = upcoming.record.offset;
  if (is_history_kept(*target) && awaited_->offset < offset) {
    awaited_->offset = offset;
    if (awaited_->next_offset < offset) return awaited_->next_offset;
  }
  if (has_read_enough(decoded, offset)) return {};
  const bool has_looked = awaited_ && awaited_->offset == offset;
  bool is_wide = has_looked || target->ids.bucket_of(id) == nullptr;  // runs tell no time: no look is narrower
  auto from = target->history_from(id, is_wide, target->watermark());
  if (!from && !is_wide) {  // none of the bars that the id came in may change: it was moved to another, or is late
    is_wide = true;
    from = target->history_from(id, is_wide, target->watermark());
  }
  if (from) {
    awaited_ = Awaited{.offset = offset, .series = target, .is_wide = is_wide, .from = *from, .next_offset = *from};
  }
  return from;
}

/// Whether what was read for a correction is whole, or all that there is. What was kept for it must be whole, and is
/// let go of otherwise: so it changes nothing that it was kept.
bool PartitionFold::has_read_enough(const Decoded& decoded, std::int64_t offset) {
  if (!awaited_ || awaited_->offset != offset) return false;
  awaited_->next_offset = offset;
  awaited_->is_whole = !awaited_->is_gone && is_history_whole(decoded);
  if (awaited_->is_whole) return true;
  if (!awaited_->is_kept) {
    awaited_->is_gone |= awaited_->is_wide && awaited_->has_passed_over && lacks_trades();
    return awaited_->is_wide || awaited_->is_gone;
  }
  awaited_.reset();
  return false;
}

/// Whether a bar that may change has other trades than were read. A batch that cannot be read and was a dead letter
/// when it was folded has none of any bar's.
bool PartitionFold::lacks_trades() {
  const Series& series = *awaited_->series;
  const std::int64_t watermark_ns = series.watermark();
  bool is_whole = true;
  const LevelBars& bars = awaited_->series->bars(0);
  bars.read(bars.all(), [&](const Bar& bar) {
    if (!is_whole || series.is_late(bar.start_ns, watermark_ns)) return;
    is_whole = awaited_->history.settle(bar.start_ns, bar.start_ns + series.base_length_ns(), bar.sum);
  });
  return !is_whole;
}

/// Whether what was read for a correction before is there still, and its ids name the same trades: one that was
/// forgotten may be another's by now.
bool PartitionFold::is_history_kept(const Series& series) const noexcept {
  return awaited_ && awaited_->is_kept && awaited_->series == &series && awaited_->forgotten == series.forgotten &&
         !series.ids.runs.has_former();
}

/// Whether what was read has all trades of the bars that the correction changes: it may move a trade, or find one
/// moved.
bool PartitionFold::is_history_whole(const Decoded& decoded) {
  TradeHistory& history = awaited_->history;
  Series& series = *awaited_->series;
  const auto is_whole = [&](std::int64_t event_time_ns) {
    const std::int64_t start_ns = series.base_start(event_time_ns);
    const Bar* bar = series.find(0, start_ns);
    const bool adds_up =
        history.settle(start_ns, start_ns + series.base_length_ns(), bar == nullptr ? Aggregate{} : bar->sum);
    return adds_up && (bar == nullptr || bar->sum.first_offset >= awaited_->from);
  };
  const std::optional<std::int64_t> read_ns = history.time_of(decoded.refers_to);
  if (!read_ns) return false;
  const bool was_whole = is_whole(*read_ns);
  const std::int64_t old_ns = *history.time_of(decoded.refers_to);  // of another record of its id, it may be by now
  const bool is_old_whole = old_ns == *read_ns ? was_whole : is_whole(old_ns);
  return is_old_whole && (decoded.action == Action::cancel || is_whole(decoded.event_time_ns));
}

std::optional<std::int32_t> PartitionFold::reread(Bytes record_set, std::vector<AbortedTransaction> aborted) {
  RecordSetReader reader(record_set, std::move(aborted), decompressor_);
  do {
    while (const Record* record = reader.next()) {
      if (const std::optional<std::int32_t> unknown = reread_record(*record)) return unknown;
    }
  } while (pass_over_again(reader));
  return {};
}

/// Goes on behind a batch of the stretch that cannot be read: it was a dead letter, or has rotted since it was folded.
bool PartitionFold::pass_over_again(RecordSetReader& reader) {
  if (reader.error().empty()) return false;
  const std::optional<DamagedBatch> batch = reader.pass_over();
  if (!batch) return false;
  if (awaited_ && reader.next_offset() > awaited_->next_offset && batch->first_offset < awaited_->offset) {
    awaited_->has_passed_over = true;
  }
  return true;
}

std::optional<std::int32_t> PartitionFold::reread_record(const Record& record) {
  if (!awaited_ || record.offset < awaited_->next_offset || record.offset >= awaited_->offset) return {};
  Upcoming again;
  again.record = record;
  decode_ahead(again);
  if (again.what == What::of_unknown_schema &&
      std::ranges::find(awaited_->asked_for, again.unknown_schema) == awaited_->asked_for.end()) {
    awaited_->asked_for.push_back(again.unknown_schema);
    return again.unknown_schema;
  }
  awaited_->next_offset = record.offset + 1;
  if (again.what == What::trade || again.what == What::correction) {
    reread_trade(record, again.decoded);
  }
  return {};
}

void PartitionFold::reread_trade(const Record& record, const Decoded& decoded) {
  const Series& series = *awaited_->series;
  const Venue* home = find_venue(decoded.venue);
  if (home == nullptr || !series.is(*home, decoded.instrument) || flaw(record, decoded) != nullptr) return;
  const bool was_accepted = decoded.action == Action::trade
                                ? series.ids.contains(decoded.trade_id, decoded.event_time_ns)
                                : series.corrections.contains(record.offset);
  if (!was_accepted) return;
  const Trade trade = trade_of(record, decoded, *home);
  switch (decoded.action) {
    case Action::trade:
      awaited_->history.add(trade, decoded.trade_id.as_text(), series.ids.runs.numbering(decoded.event_time_ns));
      return;
    case Action::correct:
      awaited_->history.correct(decoded.refers_to, trade, decoded.trade_id.as_text(), identity_of(decoded));
      return;
    case Action::cancel:
      awaited_->history.cancel(decoded.refers_to, record.offset);
      return;
  }
}

void PartitionFold::history_is_gone() {
  if (awaited_) awaited_->is_gone = true;
}

void PartitionFold::fold_correction(const Upcoming& upcoming, FoldOutcome& outcome) {
  const Record& record = upcoming.record;
  const Decoded& decoded = upcoming.decoded;
  if (const char* reason = flaw(record, decoded)) return refuse(record, reason, outcome);
  const Venue* home = find_venue(decoded.venue);
  Series* target = home == nullptr ? nullptr : series_.find(*home, decoded.instrument);
  if (target == nullptr || !target->ids.contains(TradeIdView::parse(decoded.refers_to))) {
    // A cancellation may tell its own time: it may be of a trade whose id was forgotten, whatever that time is.
    const bool may_be_late = home != nullptr && (home->has_forgotten || is_late(*home, target, decoded.event_time_ns));
    if (may_be_late) return send_late(record, outcome);
    return refuse(record, "refers_to names no trade that was counted", outcome);
  }
  const bool is_read = awaited_ && awaited_->offset == record.offset;
  if (is_read && awaited_->is_gone) return refuse(record, kTradesAreGone, outcome);
  if (!is_read || !awaited_->history.time_of(decoded.refers_to)) return send_late(record, outcome);
  apply(upcoming, *target, awaited_->history, outcome);
  if (awaited_) keep_history();
}

/// Keeps what was read where all would be found in it once more: not where one of several records had to be chosen for
/// a trade, nor where numbers are told from former ones by what else came.
void PartitionFold::keep_history() {
  const bool is_certain = awaited_->is_whole && awaited_->history.is_certain();
  if (!is_certain || awaited_->series->ids.runs.has_former()) return awaited_.reset();
  awaited_->is_kept = true;
  awaited_->forgotten = awaited_->series->forgotten;
  awaited_->next_offset = awaited_->offset + 1;
}

/// Of an instrument all of whose bars are gone its venue's clock alone says what is late: so it is after a restart.
bool PartitionFold::is_late(const Venue& home, const Series* target, std::int64_t event_time_ns) const noexcept {
  if (target != nullptr) return target->is_late(event_time_ns, target->watermark());
  return config_.is_late(floor_to(event_time_ns, config_.levels[0].length_ns), home.clock_ns);
}

void PartitionFold::apply(const Upcoming& upcoming, Series& target, TradeHistory& history, FoldOutcome& outcome) {
  const Record& record = upcoming.record;
  const Decoded& decoded = upcoming.decoded;
  const bool is_cancel = decoded.action == Action::cancel;
  const std::int64_t watermark_ns = target.watermark();
  const std::int64_t old_ns = *history.time_of(decoded.refers_to);
  const std::int64_t new_ns = is_cancel ? old_ns : decoded.event_time_ns;
  if (target.is_late(std::min(old_ns, new_ns), watermark_ns)) return send_late(record, outcome);
  std::string identity = identity_of(decoded);
  if (history.has_correction(identity)) {
    ++outcome.duplicates;
    return;
  }
  if (history.is_cancelled(decoded.refers_to)) {
    if (!is_cancel) return refuse(record, "refers_to names a trade that was cancelled", outcome);
    ++outcome.duplicates;
    return;
  }
  const TradeIdView& id = decoded.trade_id;
  if (!is_cancel && !id.is_number() && !is_name(id.text)) return refuse(record, name_flaw("trade_id"), outcome);
  const bool is_new_id = !is_cancel && !target.ids.contains(id);
  if (!is_cancel && !is_new_id && !history.are_one(decoded.refers_to, id.as_text())) {
    return refuse(record, "trade_id names another trade that was counted", outcome);
  }
  if (!awaited_->is_whole) return refuse(record, kTradesAreGone, outcome);
  if (is_cancel) {
    history.cancel(decoded.refers_to, record.offset);
  } else {
    history.correct(decoded.refers_to, trade_of(record, decoded, target.home), id.as_text(), std::move(identity));
  }
  const std::int64_t length_ns = target.base_length_ns();
  const std::int64_t old_start_ns = target.base_start(old_ns);
  const std::int64_t new_start_ns = target.base_start(new_ns);
  Aggregate at_new = history.sum(new_start_ns, new_start_ns + length_ns);
  if (target.would_overflow(new_start_ns, at_new)) {
    awaited_.reset();  // its history has the correction carried out
    return refuse(record, kOverflow, outcome);
  }
  bool is_changed = target.replace(new_start_ns, std::move(at_new), watermark_ns, record.offset, changes_);
  if (accepted_ != nullptr) accepted_->replace(target, new_start_ns, history);
  if (old_start_ns != new_start_ns) {
    Aggregate at_old = history.sum(old_start_ns, old_start_ns + length_ns);
    is_changed |= target.replace(old_start_ns, std::move(at_old), watermark_ns, record.offset, changes_);
    if (accepted_ != nullptr) accepted_->replace(target, old_start_ns, history);
  }
  if (is_new_id) target.learn(id, new_ns, record.offset, changes_);
  // Of one that changed nothing as well: it may come again behind another that does.
  target.remember({record.offset, std::max(old_ns, new_ns)}, changes_);
  if (new_ns > old_ns) keep_known(target, history, decoded.refers_to, new_ns);
  ++(is_changed ? outcome.corrections : outcome.duplicates);
  const std::int64_t moved_ns = target.watermark();
  if (moved_ns >= target.due_ns()) target.advance(moved_ns, record.offset, changes_);
  target.home.schedule(target);
}

/// A trade that was moved to a later bar can be corrected as long as that bar can: what names it, and what made it what
/// it is, would be forgotten with the bar that it left.
void PartitionFold::keep_known(Series& target, const TradeHistory& history, std::string_view id,
                               std::int64_t event_time_ns) {
  for (const std::string& each : history.ids(id)) target.keep(TradeIdView::parse(each), event_time_ns, changes_);
  for (const std::int64_t offset : history.corrections(id)) target.keep(offset, event_time_ns, changes_);
}

}  // namespace livetape::kernel
