#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "decoded.hpp"
#include "join_state.hpp"
#include "joined_record.hpp"
#include "quote_queue.hpp"
#include "record_batch.hpp"
#include "refused_record.hpp"
#include "trade_ids.hpp"
#include "window.hpp"
#include "writer_schemas.hpp"

namespace livetape::kernel {

/// How long a venue's clocks are waited for, by the times at which the logs took their records. The bridge holds trades
/// back behind their quotes for less, but for those behind a long outage, which it holds while the venue's history
/// answers: trades that come so much later than their quotes, and the age that these may have, are joined with none.
inline constexpr std::int64_t kClockAwayMs = 900'000;

/// How trades are joined. Times in nanoseconds.
struct JoinConfig {
  std::int64_t base_ns;           // the base interval of bars: trades are accepted or refused by it, as in the fold
  std::int64_t horizon_ns;        // how long after its base window a trade is still accepted
  std::int64_t quote_horizon_ns;  // how far behind the venue's clock a trade still finds its quote
  std::int64_t max_quote_age_ns;  // a quote older than this at the trade's time is none
  std::int64_t max_ahead_ns;
  std::set<std::string, std::less<>> quoted_venues;      // whose trades wait for quotes
  std::set<std::string, std::less<>> contiguous_venues;  // that number an instrument's trades without a hole

  [[nodiscard]] std::int64_t time_bound_ns() const noexcept;
};

/// What one call did; the counts are of this call.
struct JoinOutcome {
  std::int64_t next_offset = 0;              // everything below is taken
  std::optional<std::int32_t> needs_schema;  // stopped before a record of this unknown schema
  std::string corrupt;                       // stopped before a batch with no telling where the next begins
  std::int64_t trades = 0;                   // accepted, corrections and cancellations among them
  std::int64_t duplicates = 0;
  std::int64_t late = 0;      // trades refused as older than the horizon, or than the ids that a shorter one has left
  std::int64_t unusable = 0;  // records of `trades` that the fold makes dead letters of
  std::int64_t quotes = 0;
  std::int64_t late_quotes = 0;  // behind their own venue's clock: what they would have changed may be decided
  std::int64_t ignored = 0;      // quotes of a venue that is not said to have any
  std::int64_t dead = 0;
};

/// What is to be written in one transaction.
struct JoinFlush {
  std::int64_t trades_reached = 0;
  std::int64_t quotes_reached = 0;
  std::vector<PackedBatch> changelog;  // progress last
  std::vector<PackedBatch> joined;
  std::vector<RefusedRecord> dead;  // of `quotes`
  bool is_empty = true;
};

/// Joins the trades of one partition with the quotes of the same partition number, by event time. One thread at a time.
///
/// What is published depends on the two logs alone and not on which of them was read first: whether a trade is late, or
/// a quote, is decided by the clocks before it in its own log, and a trade is decided once both logs' clocks have
/// passed its time, so that no accepted quote can come that is older.
///
/// A venue's clocks may stay away for good. Then the times at which the logs took their records decide: a trade waits
/// for a clock until that log has taken records for so long after it, and a quote counts for it that came before that,
/// and no longer before the trade than that and the age that it may have. Where the broker's clock is set back a record
/// is as late as the latest before it, in both logs alike, so that the venues' clocks go on deciding.
class QuoteJoin {
 public:
  QuoteJoin(JoinConfig config, std::shared_ptr<const WriterSchemas> trade_schemas,
            std::shared_ptr<const WriterSchemas> quote_schemas, JoinOrigin origin);
  ~QuoteJoin() = default;
  QuoteJoin(const QuoteJoin&) = delete;
  QuoteJoin& operator=(const QuoteJoin&) = delete;

  /// As PartitionFold::restore and restored. An empty changelog leaves the join where the logs begin, at these offsets;
  /// else it goes on without what they have no more. Throws CorruptState.
  std::int64_t restore(Bytes record_set, std::vector<AbortedTransaction> aborted, std::int64_t start_offset);
  std::optional<JoinProgress> restored(std::int64_t trades_begin, std::int64_t quotes_begin);

  JoinOutcome take_trades(Bytes record_set, std::vector<AbortedTransaction> aborted, std::int64_t start_offset);
  JoinOutcome take_quotes(Bytes record_set, std::vector<AbortedTransaction> aborted, std::int64_t start_offset);
  /// When `trades` had taken its last record, where a trade waits for which no quote would count any more that came
  /// then: nobody may write to `quotes`, so that it tells no time. Else nothing.
  [[nodiscard]] std::optional<std::int64_t> overdue_ms() const noexcept;
  /// Says that `quotes` ended at this offset after `trades` had taken a record at this time.
  void end_quotes(std::int64_t offset, std::int64_t trades_ms);
  /// Empty while nothing is new, and while trades that waited are read again.
  JoinFlush take_flush();

  /// Trades that wait for quotes: the quotes are behind, by the venue's clock or, where that stays away, by when the
  /// logs took their records. None while those that waited before are read again, which has to come to its end.
  [[nodiscard]] std::size_t waiting_for_quotes() const noexcept;
  [[nodiscard]] std::size_t kept_quotes() const noexcept { return kept_quotes_; }

 private:
  struct JoinVenue;
  struct Instrument {
    Instrument(std::string_view its_name, JoinVenue& its_home, bool has_contiguous_ids)
        : name(its_name), home(its_home), ids(has_contiguous_ids) {}

    const std::string name;
    JoinVenue& home;
    QuoteQueue quotes;
    TradeIds ids;
    bool are_ids_listed = false;
  };
  struct Waiting {
    Instrument* instrument = nullptr;
    JoinTrade trade{};
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept;
  };
  template <typename Value>
  using ByName = std::unordered_map<std::string, std::unique_ptr<Value>, TextHash, std::equal_to<>>;
  struct JoinVenue {
    JoinVenue(std::string_view its_name, const JoinConfig& config)
        : name(its_name),
          has_quotes(config.quoted_venues.contains(its_name)),
          has_contiguous_ids(config.contiguous_venues.contains(its_name)) {}

    const std::string name;
    const bool has_quotes;
    const bool has_contiguous_ids;
    std::int64_t trade_clock_ns = kBeginning;
    std::int64_t quote_clock_ns = kBeginning;
    std::int64_t passed_quotes_ns = kBeginning;  // every quote that came is before it
    std::int64_t forgot_quotes_ns = kBeginning;
    std::int64_t forgot_appended_ms = 0;
    std::int64_t waiting_since_ms = 0;  // no trade that waits came to its log before
    std::int64_t forgot_ids_ns = kBeginning;
    std::int64_t ids_from_ns = kBeginning;  // whatever came, and was not before this, is known when it comes again
    ByName<Instrument> instruments;
    std::deque<Waiting> waiting;  // by event time and offset
  };
  /// A part of `quotes`, and the clocks before it: it can be read again as it was.
  struct Part {
    std::int64_t first_offset = 0;
    std::vector<VenueClock> clocks{};
    std::map<const JoinVenue*, std::int64_t> newest_ns{};  // of the quotes accepted from it
    std::size_t records = 0;
    std::int64_t begun_ms = 0;  // when the log had taken its first record, and its last
    std::int64_t ended_ms = 0;
  };
  /// One of the two logs.
  struct Input {
    std::shared_ptr<const WriterSchemas> schemas;
    std::int64_t next_offset = 0;
    std::int64_t appended_ms = 0;  // when it had taken the last record: never less than before, as its clock may be
    std::int64_t silent_ms = 0;    // it took none after that until then
    // What was taken before a restart: trades below wait or are decided, and dead letters of quotes below are written.
    std::int64_t reached = 0;
    std::int64_t reached_ms = 0;  // when it had taken all of that

    [[nodiscard]] std::int64_t taken_ms() const noexcept { return std::max(appended_ms, reached_ms); }
    /// Trades that came before have waited long enough for this log's clock.
    [[nodiscard]] std::int64_t waited_before_ms() const noexcept {
      return std::max(appended_ms, silent_ms) - kClockAwayMs;
    }
  };

  template <typename Handle, typename PassOver>
  JoinOutcome take(Input& input, Bytes record_set, std::vector<AbortedTransaction> aborted, std::int64_t start_offset,
                   Handle handle, PassOver passed_over);
  /// Decodes a record into `decoded_`; its kind, or why not.
  struct Read {
    RecordKind kind = RecordKind::trade;
    const char* flaw = nullptr;
    std::optional<std::int32_t> unknown_schema{};
  };
  Read read(const Input& input, const Record& record);
  void take_trade_record(const Record& record, const Read& read, JoinOutcome& outcome);
  bool waits_again(std::int64_t offset);
  void take_trade(const Record& record, JoinOutcome& outcome);
  bool learn(Instrument& target);
  void learn_corrected_id(Instrument& target);
  void list_ids(Instrument& changed);
  void take_quote_record(const Record& record, const Read& read, JoinOutcome& outcome);
  void take_quote(const Record& record, JoinOutcome& outcome);
  [[nodiscard]] const char* time_flaw(bool has_receive_time) const noexcept;
  [[nodiscard]] const char* clock_flaw(const Input& input, const Record& record) const noexcept;
  [[nodiscard]] const char* event_flaw(const Record& record) const noexcept;
  [[nodiscard]] const char* trade_flaw(const Record& record) const noexcept;
  [[nodiscard]] const char* quote_flaw(const Record& record) const noexcept;
  void refuse_quote(const Record& record, const std::string& reason, JoinOutcome& outcome);

  /// Publishes what is decided now, and forgets what nobody can ask for any more.
  void settle();
  void publish_decided(JoinVenue& home);
  void publish(const Instrument& instrument, const JoinTrade& trade, bool is_late);
  static void wait(Instrument& instrument, JoinTrade trade);
  void forget(JoinVenue& home);
  void forget_ids(Instrument& instrument, std::int64_t before_ns);
  void forget_parts();
  /// A trade of this time is decided if it came to its log before: always, once the venue's clocks have passed it.
  [[nodiscard]] std::int64_t decided_before_ms(const JoinVenue& home, std::int64_t time_ns) const noexcept;
  /// Whether what trades of the venue wait for is still to be read from `quotes`.
  [[nodiscard]] bool are_quotes_behind(const JoinVenue& home) const noexcept;
  /// How long before a trade a quote may have come to the log.
  [[nodiscard]] std::int64_t longest_before_ms() const noexcept;
  /// No trade that comes or waits asks for a quote that came to its log before.
  [[nodiscard]] std::int64_t asked_appended_ms(const JoinVenue& home) const noexcept;
  /// No trade that comes or waits asks for a quote before this time.
  [[nodiscard]] std::int64_t asked_from_ns(const JoinVenue& home) const noexcept;
  [[nodiscard]] bool is_reading_again() const noexcept { return trades_.next_offset < trades_.reached; }

  JoinVenue& venue(std::string_view name);
  static Instrument& instrument(JoinVenue& home, std::string_view name);
  [[nodiscard]] std::vector<VenueClock> clocks(std::int64_t JoinVenue::*which) const;
  /// By venue: every quote that came is before it, and no clock in `quotes` behind it.
  [[nodiscard]] std::vector<VenueClock> quotes_passed() const;
  [[nodiscard]] WaitingTrades waiting_trades() const;
  void write_waiting();
  /// When the log had taken the first trade that waits.
  [[nodiscard]] std::int64_t waiting_from_ms() const noexcept;
  void restore_record(const Record& record);
  void restore_ids(const StateKey& key, const Record& record);
  void join_ids();

  const JoinConfig config_;
  const JoinOrigin origin_;
  Decompressor decompressor_;
  Input trades_;
  Input quotes_;
  Decoded decoded_;
  ByName<JoinVenue> venues_;
  std::deque<Part> parts_;
  std::size_t kept_quotes_ = 0;
  std::deque<OffsetRun> waiting_again_;  // the trades below `trades_.reached` that wait, and are not read again yet

  RecordBatchWriter joined_;
  ChangelogWriter changelog_;
  std::vector<RefusedRecord> dead_;
  std::vector<Instrument*> changed_ids_;
  std::vector<IdChunk> forgotten_ids_;
  WaitingTrades logged_waiting_;  // as the changelog has them
  std::int64_t flushed_trades_ = 0;
  std::int64_t flushed_quotes_ = 0;

  // Only while the changelog is restored.
  struct Restoring {
    using ChunkKey = std::tuple<Instrument*, std::int64_t, std::size_t>;
    std::optional<JoinProgress> progress;
    std::map<ChunkKey, std::vector<IdRanges::Range>> ranges;
    std::map<ChunkKey, std::vector<IdHash>> hashes;
    std::map<ChunkKey, std::vector<IdRuns::Run>> runs;
    WaitingTrades waiting;
  };
  Restoring restoring_;
};

}  // namespace livetape::kernel
