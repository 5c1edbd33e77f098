#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bar_state.hpp"
#include "byte_reader.hpp"
#include "record_batch_writer.hpp"
#include "series.hpp"
#include "session_hours.hpp"

/// The fold's state as records of its changelog. Every key and value begins with its format's version; a key's second
/// byte is its kind. Numbers and text are in Avro's encoding. The key's format never changes, or a newer record would
/// not take an older one's place: where it had to, as of corrections, the first flush ends the older record. A value of
/// an earlier version is still read.
namespace livetape::kernel {

inline constexpr std::uint8_t kKeyVersion = 1;
/// What is wrong with a record that a reader below gives nothing for.
[[nodiscard]] inline std::string no_known_version() {
  return "is of no format version up to " + std::to_string(kValueVersion);
}

/// `bar` is of an interval with nothing but a length, `named_bar` of any other; `levels` says which intervals there
/// are. A page has base bars that became final before the changelog had them, all of one minute. `whole_from` is there
/// where the log had lost its beginning: from when on its windows are whole. `patience` says how long the state waited,
/// `forgotten` of which venues it has forgotten ids since, `hours` what an exchange's hours were about its time,
/// `rules` by which rules of its venue a trade counted. A record of corrections has those of one stretch of the log;
/// one of a release before, whose key names no stretch, has all of its instrument, and ends with the first flush.
/// `waiting` are a join's trades that wait, of one stretch too.
enum class StateKind : std::uint8_t {
  progress = 'P',
  levels = 'L',
  bar = 'B',
  named_bar = 'N',
  ids = 'I',
  corrections = 'C',
  page = 'G',
  whole_from = 'W',
  patience = 'T',
  forgotten = 'F',
  hours = 'H',
  rules = 'R',
  waiting = 'A'
};

/// What comes next in a page: the names of one more instrument, or something of one that was named.
enum class PageEntryKind : std::uint8_t { name, bar };

struct VenueClock {
  std::string venue;
  std::int64_t time_ns;
};

/// How far the fold has come: everything below `next_offset` is in the state.
struct Progress {
  std::string epoch;
  std::int32_t generation = 0;
  std::int64_t next_offset = 0;
  std::vector<VenueClock> clocks;
};

/// For how late a trade the state was kept: what none of these could touch was finished, and then forgotten.
struct Patience {
  std::int64_t horizon_ns;
  std::int64_t out_of_order_ns;
  std::int64_t grace_ns;
  friend bool operator==(const Patience&, const Patience&) = default;
};

/// Which chunk of an instrument's ids a record holds.
struct IdChunk {
  std::string_view venue;
  std::string_view instrument;
  std::int64_t bucket_ns;
  IdKind kind;
  std::size_t number;
};

/// A state key, taken apart.
struct StateKey {
  StateKind kind;
  std::string_view venue;
  std::string_view instrument;
  std::int64_t length_ns = 0;      // of a bar's interval
  std::string_view interval = {};  // or its name
  std::int64_t start_ns = 0;       // of a bar, of a bucket of ids, or of a page's minute
  IdKind id_kind = IdKind::ranges;
  std::size_t chunk = 0;     // or which page of its minute
  std::int64_t stretch = 0;  // of the log, that corrections or waiting trades are of
};

struct JoinProgress;
struct OffsetRun;

/// Puts the state's records into the batches of a flush. What is gone becomes a tombstone.
class ChangelogWriter {
 public:
  void progress(const Progress& progress);
  void levels(const LevelNames& names);
  void whole_from(std::int64_t time_ns);
  void patience(const Patience& patience);
  void forgotten(const std::vector<std::string>& venues);
  void hours(const SessionHoursOf& hours);
  void rules(const RulesByVenue& rules);
  void progress(const JoinProgress& progress);
  /// The trades that wait of a stretch of the log; a tombstone when there are none any more.
  void waiting(std::int64_t stretch, const std::vector<OffsetRun>& runs);
  /// Gives the bytes of the bar, until the next call.
  Bytes bar(const Series& series, const Level& level, const Bar& bar);
  void bar_gone(const Series& series, const Level& level, std::int64_t start_ns);
  void ids(const IdChunk& at, const IdBucket& bucket);
  /// Every chunk of the runs and of the buckets' ids that is not as the changelog has it.
  void changed_ids(std::string_view venue, std::string_view instrument, TradeIds& ids);
  void ids_gone(const IdChunk& chunk);
  /// A page's text, which begins with its format's version.
  void page(std::int64_t minute_ns, std::size_t number, Bytes text);
  void page_gone(std::int64_t minute_ns, std::size_t number);
  /// The series' corrections of a stretch that were carried out; a tombstone when there are none any more.
  void corrections(const Series& series, std::int64_t stretch, std::span<const CarriedOut> part);
  [[nodiscard]] std::vector<PackedBatch> take() { return out_.take(); }

 private:
  StateText& key(StateKind kind);
  void bar_key(const Series& series, const Level& level, std::int64_t start_ns);
  void ids_key(const IdChunk& chunk);
  void page_key(std::int64_t minute_ns, std::size_t number);
  void changed_runs(std::string_view venue, std::string_view instrument, TradeIds& ids);
  void runs(const IdChunk& at, const IdRuns& runs);
  StateText& value() { return value_.begin(kValueVersion); }
  void put() { out_.append(key_.bytes(), value_.bytes()); }
  void put_tombstone() { out_.append(key_.bytes(), std::nullopt); }

  StateText key_;
  StateText value_;
  RecordBatchWriter out_;
};

/// Key and value of a progress record by itself.
[[nodiscard]] std::pair<std::string, std::string> progress_record(const Progress& progress);

/// Nothing when the record is not of this version or not well formed; keys point into `key`.
[[nodiscard]] std::optional<StateKey> read_state_key(std::span<const std::uint8_t> key);
[[nodiscard]] std::optional<Progress> read_progress(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<LevelNames> read_levels(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<std::int64_t> read_whole_from(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<Patience> read_patience(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<std::vector<std::string>> read_forgotten(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<SessionHoursOf> read_hours(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<RulesByVenue> read_rules(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<Bar> read_bar_state(std::int64_t start_ns, std::span<const std::uint8_t> value);
/// Calls `take_bar(venue, instrument, bar)` for each bar of a page of this minute; false where it is not well formed.
[[nodiscard]] bool read_page(
    std::int64_t minute_ns, std::span<const std::uint8_t> value,
    const std::function<void(std::string_view venue, std::string_view instrument, Bar bar)>& take_bar);
[[nodiscard]] std::optional<std::vector<IdRanges::Range>> read_ranges(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<std::vector<CarriedOut>> read_corrections(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<std::vector<IdRuns::Run>> read_runs(std::span<const std::uint8_t> value);
[[nodiscard]] std::optional<std::vector<IdHash>> read_hashes(std::span<const std::uint8_t> value);

}  // namespace livetape::kernel
