#include "quote_join.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "correction_identity.hpp"
#include "log_stretch.hpp"
#include "names.hpp"

namespace livetape::kernel {
namespace {

constexpr std::int64_t kForgetEveryNs = 5'000'000'000;  // all instruments are looked at for that
constexpr std::int64_t kForgetEveryMs = 60'000;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kPartRecords = 4096;
constexpr std::int64_t kDayNs = 86'400'000'000'000;

/// When the log took a record, 0 where it does not say: far from what could overflow.
std::int64_t appended_ms(const Record& record) noexcept {
  return std::clamp(record.appended_ms, std::int64_t{0}, kAlways / 4);
}

}  // namespace

std::int64_t JoinConfig::time_bound_ns() const noexcept {
  return std::numeric_limits<std::int64_t>::max() - 2 * kDayNs - horizon_ns - quote_horizon_ns - max_quote_age_ns -
         max_ahead_ns;
}

QuoteJoin::QuoteJoin(JoinConfig config, std::shared_ptr<const WriterSchemas> trade_schemas,
                     std::shared_ptr<const WriterSchemas> quote_schemas, JoinOrigin origin)
    : config_(std::move(config)),
      origin_(std::move(origin)),
      trades_{std::move(trade_schemas)},
      quotes_{std::move(quote_schemas)},
      parts_(1) {}

JoinOutcome QuoteJoin::take_trades(Bytes record_set, std::vector<AbortedTransaction> aborted,
                                   std::int64_t start_offset) {
  return take(
      trades_, record_set, std::move(aborted), start_offset,
      [this](const Record& record, const Read& read, JoinOutcome& outcome) {
        take_trade_record(record, read, outcome);
      },
      [](const DamagedBatch&, const std::string&, JoinOutcome& outcome) { ++outcome.unusable; });
}

JoinOutcome QuoteJoin::take_quotes(Bytes record_set, std::vector<AbortedTransaction> aborted,
                                   std::int64_t start_offset) {
  if (parts_.front().records == 0 && parts_.size() == 1) parts_.front().first_offset = start_offset;
  return take(
      quotes_, record_set, std::move(aborted), start_offset,
      [this](const Record& record, const Read& read, JoinOutcome& outcome) {
        take_quote_record(record, read, outcome);
      },
      [this](const DamagedBatch& batch, const std::string& reason, JoinOutcome& outcome) {
        const Record record{batch.first_offset, 0, std::nullopt, batch.bytes};
        refuse_quote(record, "the record batch cannot be read: " + reason, outcome);
      });
}

template <typename Handle, typename PassOver>
JoinOutcome QuoteJoin::take(Input& input, Bytes record_set, std::vector<AbortedTransaction> aborted,
                            std::int64_t start_offset, Handle handle, PassOver passed_over) {
  JoinOutcome outcome;
  RecordSetReader reader(record_set, std::move(aborted), decompressor_, start_offset);
  input.next_offset = std::max(input.next_offset, start_offset);
  while (!outcome.needs_schema && outcome.corrupt.empty()) {
    const Record* record = reader.next();
    if (record != nullptr) {
      if (record->offset < start_offset) continue;
      if (record->offset >= input.reached) input.appended_ms = input.taken_ms();
      input.appended_ms = std::max(input.appended_ms, appended_ms(*record));
      const Read found = read(input, *record);
      outcome.needs_schema = found.unknown_schema;
      if (found.unknown_schema) break;
      handle(*record, found, outcome);
      input.next_offset = record->offset + 1;
      continue;
    }
    input.next_offset = std::max(input.next_offset, reader.next_offset());
    if (reader.error().empty()) break;
    std::string reason = reader.error();
    const std::optional<DamagedBatch> batch = reader.pass_over();
    if (!batch) {
      outcome.corrupt = std::move(reason);
    } else if (reader.next_offset() > start_offset) {
      passed_over(*batch, reason, outcome);
      input.next_offset = reader.next_offset();
    }
  }
  settle();
  outcome.next_offset = input.next_offset;
  return outcome;
}

QuoteJoin::Read QuoteJoin::read(const Input& input, const Record& record) {
  const WireHeader header = read_wire_header(record);
  if (header.flaw != nullptr) return {RecordKind::trade, header.flaw};
  const WriterSchemas::Entry* writer = input.schemas->find(header.schema_id);
  if (writer == nullptr) return {RecordKind::trade, nullptr, header.schema_id};
  if (!writer->plan) return {RecordKind::trade, writer->refusal.c_str()};
  if (writer->plan->kind() == RecordKind::quote) {  // a side that is null stays 0
    decoded_.price = decoded_.size = decoded_.ask_price = decoded_.ask_size = 0;
  }
  const DecodeError error = decode(*writer->plan, header.body, decoded_, record.readable_end);
  return {writer->plan->kind(), error == DecodeError::none ? nullptr : describe(error)};
}

const char* QuoteJoin::time_flaw(bool has_receive_time) const noexcept {
  const std::int64_t bound_ns = config_.time_bound_ns();
  if (decoded_.event_time_ns > bound_ns || decoded_.event_time_ns < -bound_ns) return "event time is out of range";
  const Int128 ahead_ns = static_cast<Int128>(decoded_.event_time_ns) - decoded_.receive_time_ns;
  if (has_receive_time && ahead_ns > config_.max_ahead_ns) return "event time is too far ahead of its receive time";
  if (!is_name(decoded_.venue)) return "venue is empty, longer than 256 bytes or not printable ASCII";
  return nullptr;
}

const char* QuoteJoin::clock_flaw(const Input& input, const Record& record) const noexcept {
  Record latest = record;
  if (record.appended_ms >= 0) latest.appended_ms = input.appended_ms;
  if (is_ahead_of_log(latest, decoded_.event_time_ns, config_.max_ahead_ns)) {
    return "the clock's time is too far ahead of when it came to the log";
  }
  return time_flaw(false);
}

const char* QuoteJoin::event_flaw(const Record& record) const noexcept {
  if (const char* flaw = time_flaw(true)) return flaw;
  return is_far_ahead_of_log(record, decoded_.event_time_ns) ? kFarAhead : nullptr;
}

const char* QuoteJoin::trade_flaw(const Record& record) const noexcept {
  const bool has_amounts = decoded_.action != Action::cancel;
  if (has_amounts && (decoded_.price <= 0 || decoded_.size <= 0)) return "price or size is not positive";
  if (!is_name(decoded_.instrument)) return "instrument is no name";
  if (!decoded_.trade_id.is_number() && !is_name(decoded_.trade_id.text)) return "trade_id is no name";
  return event_flaw(record);
}

const char* QuoteJoin::quote_flaw(const Record& record) const noexcept {
  const auto is_side = [](Int128 price, Int128 size) { return price > 0 ? size > 0 : price == 0 && size == 0; };
  if (!is_side(decoded_.price, decoded_.size) || !is_side(decoded_.ask_price, decoded_.ask_size)) {
    return "a side of the quote has a price or a size that is not positive, or one without the other";
  }
  if (!is_name(decoded_.instrument)) return "instrument is empty, longer than 256 bytes or not printable ASCII";
  return event_flaw(record);
}

void QuoteJoin::take_trade_record(const Record& record, const Read& read, JoinOutcome& outcome) {
  if (record.offset < trades_.reached && !waits_again(record.offset)) return;  // decided before the restart
  const bool is_clock = read.kind == RecordKind::clock;
  if (read.flaw != nullptr || (is_clock && clock_flaw(trades_, record) != nullptr)) {
    ++outcome.unusable;
  } else if (!is_clock) {
    take_trade(record, outcome);
  } else {
    JoinVenue& home = venue(decoded_.venue);
    home.trade_clock_ns = std::max(home.trade_clock_ns, decoded_.event_time_ns);
    home.ids_from_ns = std::max(home.ids_from_ns, home.trade_clock_ns - config_.horizon_ns);
  }
}

/// Whether a record from before the restart is a trade that waits. They are asked for in their order.
bool QuoteJoin::waits_again(std::int64_t offset) {
  const auto is_behind = [&](const OffsetRun& run) { return run.first + run.count <= offset; };
  while (!waiting_again_.empty() && is_behind(waiting_again_.front())) waiting_again_.pop_front();
  return !waiting_again_.empty() && waiting_again_.front().first <= offset;
}

void QuoteJoin::take_trade(const Record& record, JoinOutcome& outcome) {
  const bool is_again = record.offset < trades_.reached;
  if (trade_flaw(record) != nullptr) {
    ++outcome.unusable;
    return;
  }
  JoinVenue& home = venue(decoded_.venue);
  const std::int64_t time_ns = decoded_.event_time_ns;
  const bool has_clock = home.trade_clock_ns != kBeginning;
  const bool is_behind = has_clock && floor_to(time_ns, config_.base_ns) < home.trade_clock_ns - config_.horizon_ns;
  // A shorter horizon may have had it forgotten: nobody could tell whether it was published.
  const bool is_unknown = time_ns < home.ids_from_ns;
  if (!is_again && (is_behind || is_unknown)) {
    ++outcome.late;
    return;
  }
  Instrument& target = instrument(home, decoded_.instrument);
  if (has_clock) forget_ids(target, home.trade_clock_ns - config_.horizon_ns);  // by the log, not by when it was read
  if (!is_again && !learn(target)) {
    ++outcome.duplicates;
    return;
  }
  if (!is_again) ++outcome.trades;
  JoinTrade trade{.event_time_ns = time_ns,
                  .offset = record.offset,
                  .appended_ms = trades_.appended_ms,
                  .id = TradeId(decoded_.trade_id),
                  .refers_to = std::string(decoded_.refers_to),
                  .price = decoded_.price,
                  .size = decoded_.size,
                  .aggressor = decoded_.aggressor,
                  .action = decoded_.action};
  const bool is_late = !is_again && has_clock && time_ns < home.trade_clock_ns - config_.quote_horizon_ns;
  if (is_late && home.has_quotes) return publish(target, trade, true);
  wait(target, std::move(trade));
}

/// Counts the decoded trade, correction or cancellation as come; false where it came before.
bool QuoteJoin::learn(Instrument& target) {
  const std::string identity = decoded_.action == Action::trade ? std::string() : identity_of(decoded_);
  const TradeIdView id = identity.empty() ? decoded_.trade_id : TradeIdView{.text = identity};
  if (target.ids.contains(id, decoded_.event_time_ns)) return false;
  if (decoded_.action == Action::correct) learn_corrected_id(target);
  target.ids.insert(id, decoded_.event_time_ns);
  list_ids(target);
  return true;
}

/// The id that the decoded correction gives a trade that came: under it the trade may come again.
void QuoteJoin::learn_corrected_id(Instrument& target) {
  TradeIds& ids = target.ids;
  const bool is_new = !ids.contains(decoded_.trade_id) && ids.contains(TradeIdView::parse(decoded_.refers_to));
  if (is_new) ids.insert(decoded_.trade_id, decoded_.event_time_ns);
}

void QuoteJoin::list_ids(Instrument& changed) {
  if (!std::exchange(changed.are_ids_listed, true)) changed_ids_.push_back(&changed);
}

void QuoteJoin::take_quote_record(const Record& record, const Read& read, JoinOutcome& outcome) {
  if (++parts_.back().records > kPartRecords) {
    parts_.push_back({record.offset, clocks(&JoinVenue::quote_clock_ns), {}, 1, quotes_.appended_ms});
  }
  parts_.back().ended_ms = quotes_.appended_ms;
  if (read.flaw != nullptr) return refuse_quote(record, read.flaw, outcome);
  if (read.kind == RecordKind::quote) return take_quote(record, outcome);
  if (const char* flaw = clock_flaw(quotes_, record)) return refuse_quote(record, flaw, outcome);
  JoinVenue& home = venue(decoded_.venue);
  home.quote_clock_ns = std::max(home.quote_clock_ns, decoded_.event_time_ns);
}

void QuoteJoin::take_quote(const Record& record, JoinOutcome& outcome) {
  if (const char* flaw = quote_flaw(record)) return refuse_quote(record, flaw, outcome);
  JoinVenue& home = venue(decoded_.venue);
  if (!home.has_quotes) {
    ++outcome.ignored;
    return;
  }
  if (decoded_.event_time_ns < home.quote_clock_ns) {
    ++outcome.late_quotes;
    return;
  }
  ++outcome.quotes;
  ++kept_quotes_;
  instrument(home, decoded_.instrument)
      .quotes.insert({decoded_.event_time_ns, decoded_.has_trade_seq ? decoded_.trade_seq : record.offset,
                      record.offset, quotes_.appended_ms, decoded_.price, decoded_.size, decoded_.ask_price,
                      decoded_.ask_size});
  const auto [newest, is_first] = parts_.back().newest_ns.try_emplace(&home, decoded_.event_time_ns);
  if (!is_first) newest->second = std::max(newest->second, decoded_.event_time_ns);
  home.passed_quotes_ns = std::max(home.passed_quotes_ns, decoded_.event_time_ns + 1);
}

void QuoteJoin::refuse_quote(const Record& record, const std::string& reason, JoinOutcome& outcome) {
  if (record.offset < quotes_.reached) return;  // written before the restart
  ++outcome.dead;
  dead_.push_back(refused(record, reason));
}

void QuoteJoin::wait(Instrument& instrument, JoinTrade trade) {
  std::deque<Waiting>& waiting = instrument.home.waiting;
  std::int64_t& since_ms = instrument.home.waiting_since_ms;
  since_ms = waiting.empty() ? trade.appended_ms : std::min(since_ms, trade.appended_ms);
  const auto place = [](const JoinTrade& each) { return std::pair(each.event_time_ns, each.offset); };
  if (waiting.empty() || place(waiting.back().trade) < place(trade)) {
    waiting.push_back({&instrument, std::move(trade)});
    return;
  }
  const auto at =
      std::ranges::upper_bound(waiting, place(trade), {}, [&](const Waiting& each) { return place(each.trade); });
  waiting.insert(at, {&instrument, std::move(trade)});
}

void QuoteJoin::settle() {
  if (is_reading_again()) return;
  for (const auto& [name, home] : venues_) {
    publish_decided(*home);
    forget(*home);
  }
  forget_parts();
}

std::int64_t QuoteJoin::decided_before_ms(const JoinVenue& home, std::int64_t time_ns) const noexcept {
  const auto by = [&](std::int64_t clock_ns, const Input& log) {
    return time_ns < clock_ns ? kAlways : log.waited_before_ms();
  };
  const std::int64_t by_trades = by(home.trade_clock_ns, trades_);
  return home.has_quotes ? std::min(by_trades, by(home.quote_clock_ns, quotes_)) : by_trades;
}

std::optional<std::int64_t> QuoteJoin::overdue_ms() const noexcept {
  const std::int64_t overdue_ms = trades_.appended_ms - 2 * kClockAwayMs;
  const auto is_overdue = [&](const auto& each) {
    const JoinVenue& home = *each.second;
    return home.has_quotes && !home.waiting.empty() && home.waiting_since_ms < overdue_ms;
  };
  if (is_reading_again() || std::ranges::none_of(venues_, is_overdue)) return {};
  return trades_.appended_ms;
}

void QuoteJoin::end_quotes(std::int64_t offset, std::int64_t trades_ms) {
  if (offset > quotes_.next_offset) return;
  quotes_.silent_ms = std::max(quotes_.silent_ms, trades_ms - kClockAwayMs);  // one log's clock may be behind another's
  settle();
}

std::int64_t QuoteJoin::longest_before_ms() const noexcept {
  return config_.max_quote_age_ns / kNsPerMs + kClockAwayMs;
}

std::int64_t QuoteJoin::asked_appended_ms(const JoinVenue& home) const noexcept {
  return (home.waiting.empty() ? trades_.appended_ms : home.waiting_since_ms) - longest_before_ms();
}

std::int64_t QuoteJoin::asked_from_ns(const JoinVenue& home) const noexcept {
  if (std::min(home.trade_clock_ns, home.quote_clock_ns) == kBeginning) return kBeginning;
  return std::min(home.quote_clock_ns, home.trade_clock_ns - config_.quote_horizon_ns) - config_.max_quote_age_ns;
}

void QuoteJoin::publish_decided(JoinVenue& home) {
  std::deque<Waiting>& waiting = home.waiting;
  const auto is_decided = [&](const JoinTrade& trade) {
    return trade.appended_ms < decided_before_ms(home, trade.event_time_ns);
  };
  for (; !waiting.empty() && is_decided(waiting.front().trade); waiting.pop_front()) {
    publish(*waiting.front().instrument, waiting.front().trade, false);
  }
  const bool may_be_decided =
      !waiting.empty() && home.waiting_since_ms < decided_before_ms(home, waiting.front().trade.event_time_ns);
  if (!may_be_decided) return;
  home.waiting_since_ms = kAlways;
  std::erase_if(waiting, [&](const Waiting& each) {
    if (is_decided(each.trade)) {
      publish(*each.instrument, each.trade, false);
      return true;
    }
    home.waiting_since_ms = std::min(home.waiting_since_ms, each.trade.appended_ms);
    return false;
  });
}

void QuoteJoin::publish(const Instrument& instrument, const JoinTrade& trade, bool is_late) {
  const Quote* quote = nullptr;
  QuoteMatch match = is_late ? QuoteMatch::late : QuoteMatch::none;
  const auto counts = [&](const Quote& each) {
    return each.appended_ms <= trade.appended_ms + kClockAwayMs &&
           trade.appended_ms <= each.appended_ms + longest_before_ms();
  };
  const std::int64_t time_ns = trade.event_time_ns;
  if (!is_late && trade.action != Action::cancel) {
    quote = instrument.quotes.as_of(time_ns - config_.max_quote_age_ns, time_ns, counts);
  }
  if (quote != nullptr) {
    const bool has_both = quote->bid_price != 0 && quote->ask_price != 0;
    match = has_both ? QuoteMatch::quoted : QuoteMatch::one_sided;
  }
  write_joined(joined_, origin_, instrument.home.name, instrument.name, trade, match, quote);
}

void QuoteJoin::forget(JoinVenue& home) {
  const std::int64_t asked_from = asked_from_ns(home);
  const std::int64_t asked_appended = asked_appended_ms(home);
  const bool has_clock_gone_on = asked_from != kBeginning && (home.forgot_quotes_ns == kBeginning ||
                                                              asked_from - home.forgot_quotes_ns >= kForgetEveryNs);
  if (has_clock_gone_on || asked_appended - home.forgot_appended_ms >= kForgetEveryMs) {
    home.forgot_quotes_ns = asked_from;
    home.forgot_appended_ms = asked_appended;
    for (const auto& [name, each] : home.instruments) {
      kept_quotes_ -= each->quotes.drop_before(asked_from, asked_appended);
    }
  }
  if (home.trade_clock_ns == kBeginning) return;
  const std::int64_t ids_from = home.trade_clock_ns - config_.horizon_ns;
  if (home.forgot_ids_ns != kBeginning && ids_from - home.forgot_ids_ns < kForgetEveryNs) return;
  home.forgot_ids_ns = ids_from;
  for (const auto& [name, each] : home.instruments) forget_ids(*each, ids_from);
}

void QuoteJoin::forget_ids(Instrument& instrument, std::int64_t before_ns) {
  TradeIds& ids = instrument.ids;
  for (; ids.has_buckets() && ids.oldest().start_ns + IdBucket::kLengthNs <= before_ns; ids.drop_oldest()) {
    for (const IdKind kind : {IdKind::ranges, IdKind::hashes}) {
      IdChunk chunk{instrument.home.name, instrument.name, ids.oldest().start_ns, kind, 0};
      for (; chunk.number < ids.oldest().logged_chunks[static_cast<std::size_t>(kind)]; ++chunk.number) {
        forgotten_ids_.push_back(chunk);
      }
    }
  }
  if (ids.runs.forget_before(before_ns - config_.base_ns)) list_ids(instrument);
}

void QuoteJoin::forget_parts() {
  const auto is_asked_for = [this](const Part& part) {
    return std::ranges::any_of(part.newest_ns, [&](const auto& newest) {
      const auto& [home, newest_ns] = newest;
      return newest_ns >= asked_from_ns(*home) && part.ended_ms >= asked_appended_ms(*home);
    });
  };
  while (parts_.size() > 1 && !is_asked_for(parts_.front())) parts_.pop_front();
}

JoinFlush QuoteJoin::take_flush() {
  JoinFlush flush;
  flush.trades_reached = trades_.next_offset;
  flush.quotes_reached = std::max(quotes_.next_offset, quotes_.reached);
  flush.is_empty =
      is_reading_again() || (flush.trades_reached == flushed_trades_ && quotes_.next_offset == flushed_quotes_);
  if (flush.is_empty) return flush;
  flush.joined = joined_.take();
  flush.dead = std::exchange(dead_, {});
  for (Instrument* changed : std::exchange(changed_ids_, {})) {
    changed->are_ids_listed = false;
    changelog_.changed_ids(changed->home.name, changed->name, changed->ids);
  }
  for (const IdChunk& forgotten : forgotten_ids_) changelog_.ids_gone(forgotten);
  forgotten_ids_.clear();
  write_waiting();
  changelog_.progress(JoinProgress{origin_.trades_epoch,
                                   flush.trades_reached,
                                   {},  // as they are written by stretch
                                   clocks(&JoinVenue::trade_clock_ns),
                                   origin_.quotes_epoch,
                                   parts_.front().first_offset,
                                   flush.quotes_reached,
                                   parts_.front().clocks,
                                   trades_.taken_ms(),
                                   parts_.front().begun_ms,
                                   waiting_from_ms(),
                                   quotes_.taken_ms(),
                                   quotes_passed(),
                                   clocks(&JoinVenue::ids_from_ns),
                                   config_.quote_horizon_ns,
                                   config_.max_quote_age_ns});
  flush.changelog = changelog_.take();
  flushed_trades_ = flush.trades_reached;
  flushed_quotes_ = quotes_.next_offset;
  return flush;
}

void QuoteJoin::write_waiting() {
  WaitingTrades waiting = waiting_trades();
  for (const auto& [stretch, runs] : logged_waiting_) {
    if (!waiting.contains(stretch)) changelog_.waiting(stretch, {});
  }
  for (const auto& [stretch, runs] : waiting) {
    const auto logged = logged_waiting_.find(stretch);
    if (logged == logged_waiting_.end() || logged->second != runs) changelog_.waiting(stretch, runs);
  }
  logged_waiting_ = std::move(waiting);
}

WaitingTrades QuoteJoin::waiting_trades() const {
  std::vector<std::int64_t> offsets;
  for (const auto& [name, home] : venues_) {
    for (const Waiting& each : home->waiting) offsets.push_back(each.trade.offset);
  }
  std::ranges::sort(offsets);
  WaitingTrades waiting;
  for (const std::int64_t offset : offsets) {
    std::vector<OffsetRun>& runs = waiting[stretch_of(offset)];
    if (runs.empty() || runs.back().first + runs.back().count != offset) runs.push_back({offset, 0});
    ++runs.back().count;
  }
  return waiting;
}

std::int64_t QuoteJoin::waiting_from_ms() const noexcept {
  std::int64_t from_ms = trades_.taken_ms();
  for (const auto& [name, home] : venues_) {
    for (const Waiting& each : home->waiting) from_ms = std::min(from_ms, each.trade.appended_ms);
  }
  return from_ms;
}

std::size_t QuoteJoin::waiting_for_quotes() const noexcept {
  if (is_reading_again()) return 0;
  std::size_t waiting = 0;
  for (const auto& [name, home] : venues_) {
    if (are_quotes_behind(*home)) waiting += home->waiting.size();
  }
  return waiting;
}

bool QuoteJoin::are_quotes_behind(const JoinVenue& home) const noexcept {
  const auto has_waited_enough = [&](const Input& log) { return home.waiting_since_ms < log.waited_before_ms(); };
  const bool is_log_behind = has_waited_enough(trades_) && !has_waited_enough(quotes_);
  return home.has_quotes && (home.quote_clock_ns < home.trade_clock_ns || is_log_behind);
}

std::size_t QuoteJoin::TextHash::operator()(std::string_view text) const noexcept {
  return XXH3_64bits(text.data(), text.size());
}

QuoteJoin::JoinVenue& QuoteJoin::venue(std::string_view name) {
  if (const auto found = venues_.find(name); found != venues_.end()) return *found->second;
  auto made = std::make_unique<JoinVenue>(name, config_);
  return *venues_.emplace(made->name, std::move(made)).first->second;
}

QuoteJoin::Instrument& QuoteJoin::instrument(JoinVenue& home, std::string_view name) {
  if (const auto found = home.instruments.find(name); found != home.instruments.end()) return *found->second;
  auto made = std::make_unique<Instrument>(name, home, home.has_contiguous_ids);
  return *home.instruments.emplace(made->name, std::move(made)).first->second;
}

std::vector<VenueClock> QuoteJoin::clocks(std::int64_t JoinVenue::*which) const {
  std::vector<VenueClock> found;
  for (const auto& [name, home] : venues_) {
    if ((*home).*which != kBeginning) found.push_back({name, (*home).*which});
  }
  return found;
}

std::vector<VenueClock> QuoteJoin::quotes_passed() const {
  std::vector<VenueClock> found;
  for (const auto& [name, home] : venues_) {
    const std::int64_t passed_ns = std::max(home->passed_quotes_ns, home->quote_clock_ns);
    if (passed_ns != kBeginning) found.push_back({name, passed_ns});
  }
  return found;
}

}  // namespace livetape::kernel
