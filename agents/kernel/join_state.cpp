#include "join_state.hpp"

#include <algorithm>

#include "log_stretch.hpp"

namespace livetape::kernel {
namespace {

void write_clocks(StateText& out, const std::vector<VenueClock>& clocks) {
  out.number(static_cast<std::int64_t>(clocks.size()));
  for (const VenueClock& clock : clocks) out.text(clock.venue).number(clock.time_ns);
}

// A run is written by how far it is behind the one before.
void write_offsets(StateText& out, const std::vector<OffsetRun>& runs) {
  out.number(static_cast<std::int64_t>(runs.size()));
  std::int64_t behind = 0;
  for (const OffsetRun& run : runs) {
    out.number(run.first - behind).number(run.count);
    behind = run.first + run.count;
  }
}

std::vector<OffsetRun> read_offsets(ByteReader& in) {
  std::vector<OffsetRun> runs;
  std::int64_t behind = 0;
  for (std::int64_t left = in.varlong(); left > 0 && in.ok(); --left) {
    const std::int64_t first = behind + in.varlong();
    runs.push_back({first, in.varlong()});
    behind = first + runs.back().count;
  }
  return runs;
}

std::vector<VenueClock> read_clocks(ByteReader& in) {
  std::vector<VenueClock> clocks;
  for (std::int64_t left = in.varlong(); left > 0 && in.ok(); --left) {
    const std::string_view venue = in.prefixed_text();
    clocks.push_back({std::string(venue), in.varlong()});
  }
  return clocks;
}

}  // namespace

void JoinProgress::leave_out(std::int64_t trades_begin, std::int64_t quotes_begin) {
  for (OffsetRun& run : waiting) {
    const std::int64_t gone = std::clamp(trades_begin - run.first, std::int64_t{0}, run.count);
    trades_gone += gone;
    run = {run.first + gone, run.count - gone};
  }
  std::erase_if(waiting, [](const OffsetRun& run) { return run.count == 0; });
  leave_out_quotes(quotes_begin);
}

void JoinProgress::leave_out_shorter_kept(std::int64_t wanted_horizon_ns, std::int64_t wanted_age_ns) {
  if (wanted_horizon_ns <= quote_horizon_ns && wanted_age_ns <= max_quote_age_ns) return;
  lacks_older_quotes = quotes_from < quotes_reached;
  leave_out_quotes(quotes_reached);
}

void JoinProgress::leave_out_quotes(std::int64_t quotes_begin) {
  if (quotes_begin <= quotes_from || quotes_begin > quotes_reached) return;
  quotes_gone = quotes_begin - quotes_from;
  quotes_from = quotes_reached;
  quotes_from_ms = std::max(quotes_from_ms, quotes_reached_ms);
  if (!quotes_passed.empty()) quote_clocks = quotes_passed;
}

void ChangelogWriter::progress(const JoinProgress& progress) {
  key(StateKind::progress);
  value_.begin(kJoinVersion).text(progress.trades_epoch).number(progress.trades_reached);
  value_.number(0);  // the trades that wait, which have records of their own now
  write_clocks(value_, progress.trade_clocks);
  value_.text(progress.quotes_epoch).number(progress.quotes_from).number(progress.quotes_reached);
  write_clocks(value_, progress.quote_clocks);
  value_.number(progress.trades_reached_ms).number(progress.quotes_from_ms);
  value_.number(progress.trades_from_ms).number(progress.quotes_reached_ms);
  write_clocks(value_, progress.quotes_passed);
  write_clocks(value_, progress.ids_from);
  value_.number(progress.quote_horizon_ns).number(progress.max_quote_age_ns);
  put();
}

void ChangelogWriter::waiting(std::int64_t stretch, const std::vector<OffsetRun>& runs) {
  key(StateKind::waiting).number(stretch);
  if (runs.empty()) return put_tombstone();
  write_offsets(value_.begin(kJoinVersion), runs);
  put();
}

std::optional<JoinProgress> read_join_progress(std::span<const std::uint8_t> value) {
  if (value.empty() || value[0] < kOldestJoinVersion || value[0] > kJoinVersion) return std::nullopt;
  ByteReader in(value.subspan(1));
  JoinProgress progress;
  progress.trades_epoch = in.prefixed_text();
  progress.trades_reached = in.varlong();
  progress.waiting = read_offsets(in);
  progress.trade_clocks = read_clocks(in);
  progress.quotes_epoch = in.prefixed_text();
  progress.quotes_from = in.varlong();
  progress.quotes_reached = in.varlong();
  progress.quote_clocks = read_clocks(in);
  if (value[0] > kOldestJoinVersion) {
    progress.trades_reached_ms = in.varlong();
    progress.quotes_from_ms = in.varlong();
  }
  if (value[0] > 2) {
    progress.trades_from_ms = in.varlong();
    progress.quotes_reached_ms = in.varlong();
    progress.quotes_passed = read_clocks(in);
    progress.ids_from = read_clocks(in);
  } else {
    progress.ids_from = progress.trade_clocks;  // however short its horizon was, it forgot none from then on
  }
  if (value[0] > 3) {
    progress.quote_horizon_ns = in.varlong();
    progress.max_quote_age_ns = in.varlong();
  }
  if (!in.ok() || in.remaining() != 0) return std::nullopt;
  return progress;
}

std::optional<std::vector<OffsetRun>> read_waiting(std::int64_t stretch, std::span<const std::uint8_t> value) {
  if (value.empty() || value[0] < kFirstWithWaiting || value[0] > kJoinVersion) return std::nullopt;
  ByteReader in(value.subspan(1));
  std::vector<OffsetRun> runs = read_offsets(in);
  std::int64_t behind = 0;
  for (const OffsetRun& run : runs) {
    if (run.first < behind || run.count < 1 || stretch_of(run.first) != stretch) return std::nullopt;
    if (run.count > kStretchOffsets - run.first % kStretchOffsets) return std::nullopt;
    behind = run.first + run.count;
  }
  if (!in.ok() || in.remaining() != 0) return std::nullopt;
  return runs;
}

}  // namespace livetape::kernel
