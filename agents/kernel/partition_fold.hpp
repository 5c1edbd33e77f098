#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "accepted_trades.hpp"
#include "bar_records.hpp"
#include "changelog.hpp"
#include "decoded.hpp"
#include "record_batch.hpp"
#include "refused_record.hpp"
#include "series_table.hpp"
#include "state_pages.hpp"
#include "trade_history.hpp"
#include "venue.hpp"
#include "window.hpp"
#include "writer_schemas.hpp"

namespace livetape::kernel {

inline constexpr const char* kOverflow = "a bar's volume or notional would overflow";

/// What one call of `fold` did.
struct FoldOutcome {
  std::int64_t next_offset = 0;              // everything below is folded
  std::optional<std::int32_t> needs_schema;  // stopped before a record of this unknown schema
  std::optional<std::int64_t>
      needs_history;    // stopped before a correction: from here to it the log is to be read again
  std::string corrupt;  // stopped before a batch with no telling where the next begins
  std::int64_t records = 0;
  std::int64_t trades = 0;
  std::int64_t duplicates = 0;
  std::int64_t late = 0;
  std::int64_t dead = 0;
  std::int64_t clocks = 0;
  std::int64_t corrections = 0;
  std::int64_t finals = 0;
  std::int64_t revisions = 0;
  std::int64_t newest_event_time_ns = kBeginning;
  std::vector<std::pair<std::string, std::string>> new_series;  // venue and instrument; of a restored state, all it has
};

/// Everything that changed since the last flush, to be written in one transaction.
struct Flush {
  std::int64_t next_offset = 0;
  std::vector<PackedBatch> changelog;  // progress last
  std::vector<PackedBatch> bars;
  std::vector<PackedBatch> bars_1s;
  std::vector<RefusedRecord> late;
  std::vector<RefusedRecord> dead;
  std::vector<PublishedBar> published;  // for aggregates: what `bars` and `bars_1s` have, and what left memory
  std::vector<EvictedBar> evicted;
  bool is_empty = true;
};

/// Folds one partition of `trades` into bars: a pure function of its state and the bytes. One thread at a time.
class PartitionFold final : private FinalBars {
 public:
  PartitionFold(FoldConfig config, std::shared_ptr<const WriterSchemas> schemas, Origin origin);
  ~PartitionFold() override = default;
  PartitionFold(const PartitionFold&) = delete;
  PartitionFold& operator=(const PartitionFold&) = delete;

  /// Takes the records of a record set of the changelog from an offset on into the state; returns the next offset.
  /// Throws CorruptState.
  std::int64_t restore(Bytes record_set, std::vector<AbortedTransaction> aborted, std::int64_t start_offset);
  /// To be called when the whole changelog was restored, or at once when it is empty.
  /// Throws CorruptState when there is state but no progress.
  std::optional<Progress> restored();

  /// Says, before anything is folded, that what the log once began with is gone: no window is published or shown that
  /// may have had trades there.
  void lacks_beginning() noexcept { whole_from_ns_ = kNever; }
  /// Keeps accepted trades for `take_accepted` from now on; without it they cost nothing.
  void hand_out_trades();
  /// The trades accepted since the last call, by base window.
  std::vector<std::shared_ptr<const TradeBatch>> take_accepted();
  /// Whether a bar is in memory; the level is its place in FoldConfig::levels_of.
  [[nodiscard]] bool has_bar(const std::string& venue, const std::string& instrument, std::size_t level,
                             std::int64_t start_ns);

  FoldOutcome fold(Bytes record_set, std::vector<AbortedTransaction> aborted, std::int64_t start_offset);
  /// Takes a record set of the log again, of the stretch that `needs_history` asked for. To be followed by `fold` from
  /// where it stopped. The id of a schema that is not known yet, at which it stopped: once it is added or refused, the
  /// stretch is to be taken from its beginning.
  [[nodiscard]] std::optional<std::int32_t> reread(Bytes record_set, std::vector<AbortedTransaction> aborted);
  /// Says that the stretch is no longer in the log: the correction is refused.
  void history_is_gone();
  /// A record for every instrument whose forming bars changed since the last call.
  std::vector<PackedBatch> live();
  /// How many those are at most.
  [[nodiscard]] std::size_t live_count() const noexcept { return changes_.live.size(); }
  /// A record for every instrument that has a forming bar.
  std::vector<PackedBatch> live_all();
  Flush take_flush();

 private:
  /// What a record is to the fold.
  enum class What : std::uint8_t { trade, quote, clock, refused, correction, of_unknown_schema };

  /// A record that was decoded some records before it is folded, while its series comes from memory.
  struct Upcoming {
    Record record;
    Decoded decoded;
    What what = What::refused;
    std::int32_t unknown_schema = 0;  // where it is of one
    const char* flaw = nullptr;       // why it is refused
    Venue* home = nullptr;
    std::uint64_t hash = 0;  // of venue and instrument, where there is a home
    Series* guess = nullptr;
  };

  bool fold_records(RecordSetReader& reader, std::int64_t start_offset, FoldOutcome& outcome);
  [[nodiscard]] std::int64_t whole_from(const Record& first) const noexcept;
  bool pass_over(RecordSetReader& reader, std::int64_t start_offset, FoldOutcome& outcome);
  [[gnu::noinline]] bool must_wait(const Upcoming& upcoming, FoldOutcome& outcome);
  void decode_ahead(Upcoming& upcoming);
  void bring_near(std::size_t first, std::size_t end) noexcept;
  void guess_series(Upcoming& upcoming) const noexcept;
  [[gnu::cold]] void catch_up(std::int64_t offset);
  [[gnu::always_inline]] inline void fold_record(const Upcoming& upcoming, FoldOutcome& outcome);
  [[gnu::always_inline]] inline void fold_trade(const Upcoming& upcoming, FoldOutcome& outcome);
  [[gnu::noinline]] void fold_other_trade(const Upcoming& upcoming, Series* found, FoldOutcome& outcome);
  [[gnu::always_inline]] inline void folded(Series& target, const Upcoming& upcoming, FoldOutcome& outcome);
  [[gnu::noinline]] void fold_clock(const Record& record, const Decoded& decoded, FoldOutcome& outcome);

  /// Where the log must be read again from before a correction can be folded; nothing when it need not be.
  [[gnu::noinline]] std::optional<std::int64_t> history_needed(const Upcoming& upcoming);
  [[nodiscard]] bool is_history_kept(const Series& series) const noexcept;
  [[nodiscard]] bool has_read_enough(const Decoded& decoded, std::int64_t offset);
  [[nodiscard]] bool is_history_whole(const Decoded& decoded);
  [[nodiscard]] bool lacks_trades();
  void keep_history();
  [[gnu::noinline]] void fold_correction(const Upcoming& upcoming, FoldOutcome& outcome);
  [[nodiscard]] bool is_late(const Venue& home, const Series* target, std::int64_t event_time_ns) const noexcept;
  void apply(const Upcoming& upcoming, Series& target, TradeHistory& history, FoldOutcome& outcome);
  void keep_known(Series& target, const TradeHistory& history, std::string_view id, std::int64_t event_time_ns);
  bool pass_over_again(RecordSetReader& reader);
  [[nodiscard]] std::optional<std::int32_t> reread_record(const Record& record);
  void reread_trade(const Record& record, const Decoded& decoded);
  [[nodiscard]] static Trade trade_of(const Record& record, const Decoded& decoded, const Venue& home);
  [[gnu::cold]] void refuse(const Record& record, std::string reason, FoldOutcome& outcome);
  void tell_series(FoldOutcome& outcome);
  void send_late(const Record& record, FoldOutcome& outcome);
  [[nodiscard]] bool is_out_of_range(std::int64_t time_ns) const noexcept {
    return static_cast<std::uint64_t>(time_ns) + static_cast<std::uint64_t>(time_bound_ns_) >
           2 * static_cast<std::uint64_t>(time_bound_ns_);
  }
  /// Why a trade is refused, or null.
  [[nodiscard]] const char* flaw(const Record& record, const Decoded& decoded) const noexcept;

  /// The venue of this name; null when nothing came from it yet.
  [[gnu::always_inline]] Venue* find_venue(std::string_view name) noexcept {
    return last_venue_ != nullptr && is_same_name(last_venue_->name, name) ? last_venue_ : look_up_venue(name);
  }
  [[gnu::noinline]] Venue* look_up_venue(std::string_view name) noexcept;
  Venue& venue(std::string_view name);
  Series& series(std::string_view venue, std::string_view instrument);
  const WriterSchemas::Entry* schema(std::int32_t id);

  void restore_record(const Record& record);
  void restore_bar(const StateKey& key, const Record& record);
  void restore_page(const StateKey& key, const Record& record);
  void end_pages(std::int64_t minute_ns);
  void restore_ids(const StateKey& key, const Record& record);
  void restore_corrections(const StateKey& key, const Record& record);
  void restore_progress(const Record& record);
  void check_levels() const;
  void check_patience() const;
  void check_rules() const;
  void check_hours(const std::string& venue, const std::string& instrument, std::int64_t watermark_ns,
                   std::int64_t newest_ns) const;
  void restore_hours();
  void check_parents(Series& restored) const;
  void join_chunks();
  void join_runs();
  void join_corrections();

  void write_live_of(Series& changed);
  Bytes take_final(Series& series, std::size_t level, Bar& bar) override;
  void forget_final(std::int64_t start_ns) override;
  void publish(const Series& series, std::size_t level, const Bar& bar);
  void take_bars(Flush& flush);
  void store(const BarRef& ref);
  void take_state(Flush& flush);
  void take_forgotten();
  void take_hours();

  [[nodiscard]] Patience patience() const noexcept {
    return {config_.horizon_ns, config_.out_of_order_ns, config_.grace_ns};
  }

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept;
  };

  const FoldConfig config_;
  const std::int64_t time_bound_ns_;
  const std::shared_ptr<const WriterSchemas> schemas_;
  Origin origin_;
  Decompressor decompressor_;

  std::unordered_map<std::string, std::unique_ptr<Venue>, TextHash, std::equal_to<>> venues_;
  Venue* last_venue_ = nullptr;
  BarStore bar_store_;
  SeriesTable series_;
  static constexpr std::size_t kAhead = 32;  // a power of two
  std::array<Upcoming, kAhead> upcoming_;
  std::int32_t last_schema_id_ = -1;
  const WriterSchemas::Entry* last_schema_ = nullptr;

  /// A correction that waits for the log to be read again; then what was read for it, with it carried out, until the
  /// next flush: where many come at once the next one of the instrument needs no more than what came in between.
  struct Awaited {
    std::int64_t offset;  // of the correction
    Series* series;
    bool is_wide;
    std::int64_t from;         // the history has what came from here on
    std::int64_t next_offset;  // and below this
    bool is_gone = false;
    bool is_whole = false;
    bool is_kept = false;
    bool has_passed_over = false;  // a batch that cannot be read
    std::size_t forgotten = 0;     // as Series has it, when it was kept
    TradeHistory history{};
    std::vector<std::int32_t> asked_for{};  // ids of schemas; one that is unknown still is of no use
  };
  std::optional<Awaited> awaited_;

  Changes changes_{*this};
  ChangelogWriter changelog_;
  StatePages pages_{changelog_};
  RecordBatchWriter bars_;
  RecordBatchWriter bars_1s_;
  RecordBatchWriter live_;
  std::unique_ptr<AcceptedTrades> accepted_;  // none when nobody asked for them
  std::vector<PublishedBar> published_;       // for who asked for them
  std::vector<RefusedRecord> late_;
  std::vector<RefusedRecord> dead_;
  std::int64_t next_offset_ = 0;
  std::int64_t flushed_offset_ = 0;
  std::size_t told_series_ = 0;  // of how many series an outcome has told
  bool are_levels_logged_ = false;
  bool is_patience_logged_ = false;
  bool are_rules_logged_ = false;
  bool is_less_patient_ = false;             // than when it was stored: something may be due by now
  std::int64_t whole_from_ns_ = kBeginning;  // windows that start earlier may lack trades; `kNever` while nobody knows
  std::int64_t logged_whole_from_ns_ = kBeginning;
  SessionHoursOf hours_;
  bool are_hours_logged_ = true;
  std::size_t logged_forgotten_ = 0;  // of how many venues the changelog says that ids were forgotten

  // Only while the changelog is restored: chunks come in any order, and older versions of each before the last.
  struct Restoring {
    using ChunkKey = std::tuple<Series*, std::int64_t, std::size_t>;
    std::optional<Progress> progress;
    LevelNames levels;                 // empty of a release that did not write them
    std::optional<Patience> patience;  // none of a release that did not write it
    std::int64_t whole_from_ns = kBeginning;
    SessionHoursOf hours;                // empty of a release that did not write them
    RulesByVenue rules;                  // likewise
    std::vector<std::string> forgotten;  // venues that ids were forgotten of
    std::map<ChunkKey, std::vector<IdRanges::Range>> ranges;
    std::map<ChunkKey, std::vector<IdHash>> hashes;
    std::map<ChunkKey, std::vector<IdRuns::Run>> runs;
    std::map<std::pair<Series*, std::int64_t>, std::vector<CarriedOut>> corrections;  // by stretch
    std::map<std::pair<std::int64_t, std::size_t>, std::int64_t> pages;  // how many bars, by minute and number
  };
  Restoring restoring_;
};

}  // namespace livetape::kernel
