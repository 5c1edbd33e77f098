#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "changelog.hpp"

/// The join's state as records of its changelog: trade ids as the fold has them, which trades wait, and how far it has
/// come. Quotes and trades themselves are not in it: they are read from their logs again.
namespace livetape::kernel {

// 3 had no runs of ids, and did not say for how long quotes were kept; 2 said less of when, and of what had come.
inline constexpr std::uint8_t kJoinVersion = 4;
inline constexpr std::uint8_t kOldestJoinVersion = 1;  // which did not say when the logs took their records
inline constexpr std::uint8_t kFirstWithWaiting = 3;   // which trades wait was in the progress alone

/// Offsets [first, first + count).
struct OffsetRun {
  std::int64_t first;
  std::int64_t count;
  friend bool operator==(const OffsetRun&, const OffsetRun&) = default;
};

/// Trades that wait, by the stretch of the log that they are of. Each stretch is a record, however many wait.
using WaitingTrades = std::map<std::int64_t, std::vector<OffsetRun>>;

/// How far the join has come, and where each log is to be read from again.
struct JoinProgress {
  std::string trades_epoch;
  std::int64_t trades_reached = 0;       // every trade below is in `trades.joined`, refused, or waits
  std::vector<OffsetRun> waiting;        // the trades that wait, by offset; written by stretch, and here before that
  std::vector<VenueClock> trade_clocks;  // as of `trades_reached`
  std::string quotes_epoch;
  std::int64_t quotes_from = 0;             // no trade will ask for a quote below
  std::int64_t quotes_reached = 0;          // what could not be read below is in the dead letters
  std::vector<VenueClock> quote_clocks;     // as of `quotes_from`
  std::int64_t trades_reached_ms = 0;       // when the log had taken all before `trades_reached`
  std::int64_t quotes_from_ms = 0;          // when the log had taken the first quote from `quotes_from` on
  std::int64_t trades_from_ms = 0;          // when the log had taken the first trade that waits; all where none does
  std::int64_t quotes_reached_ms = 0;       // when the log had taken all before `quotes_reached`
  std::vector<VenueClock> quotes_passed{};  // every quote below `quotes_reached` is before it, and no clock behind it
  std::vector<VenueClock> ids_from{};       // the id of each trade from then on that came is in the state

  // For how long quotes were kept: what none of these could ask for is below `quotes_from`. No state before 4 tells.
  std::int64_t quote_horizon_ns = std::numeric_limits<std::int64_t>::max();
  std::int64_t max_quote_age_ns = std::numeric_limits<std::int64_t>::max();

  // What `leave_out` found gone; no part of what is written.
  std::int64_t trades_gone = 0;
  std::int64_t quotes_gone = 0;     // offsets
  bool lacks_older_quotes = false;  // they are there, but not the older ones that count now

  /// Where trades are read from again.
  [[nodiscard]] std::int64_t trades_from() const noexcept {
    return waiting.empty() ? trades_reached : waiting.front().first;
  }
  /// Goes on without what the logs have no more, which begin at these offsets by now: trades that wait, and quotes that
  /// were to be read again. One of the quotes that are gone may have stood until the last one that came, so that a
  /// trade before that has none, whichever of them are left: an older one would be wrong.
  void leave_out(std::int64_t trades_begin, std::int64_t quotes_begin);
  /// The same of all quotes that came, where a trade may ask for older ones now than could be asked for.
  void leave_out_shorter_kept(std::int64_t wanted_horizon_ns, std::int64_t wanted_age_ns);

 private:
  void leave_out_quotes(std::int64_t quotes_begin);
};

/// Nothing when the value is of no known version or not well formed.
[[nodiscard]] std::optional<JoinProgress> read_join_progress(std::span<const std::uint8_t> value);
/// Nor when a run is not of this stretch, or not behind the one before it.
[[nodiscard]] std::optional<std::vector<OffsetRun>> read_waiting(std::int64_t stretch,
                                                                 std::span<const std::uint8_t> value);

}  // namespace livetape::kernel
