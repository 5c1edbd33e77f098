#include "state_flaws.hpp"

#include <algorithm>

#include "names.hpp"
#include "state_pages.hpp"

namespace livetape::kernel {
namespace {

constexpr std::int64_t kMaxTrades = std::int64_t{1} << 48;  // of a bar; sums of some thousand of them still fit
constexpr std::int32_t kMaxRevision = 1 << 30;
constexpr std::size_t kMaxChunks = 1 << 20;

bool is_time(std::int64_t time_ns, std::int64_t bound_ns) noexcept {
  return -bound_ns <= time_ns && time_ns <= bound_ns;
}

bool is_time(std::int64_t time_ns, const FoldConfig& config) noexcept {
  return is_time(time_ns, config.time_bound_ns());
}

bool is_id(const TradeId& id) noexcept {
  TradeIdText digits;
  const std::string_view text = id.text_in(digits);
  return text.empty() || is_name(text);
}

/// Ranges and runs ascend, and neighbours have an id between them. Where they may begin anew, one begins no higher than
/// the one before it ends.
template <typename Ranges>
const char* flaw_of_ids(const Ranges& ranges, bool may_begin_anew) noexcept {
  std::int64_t last = -2;  // an id below 0 that no range touches
  for (std::size_t place = 0; place < ranges.size(); ++place) {
    const auto& range = ranges[place];
    const bool is_apart = range.first > last ? range.first - last >= 2 : may_begin_anew;
    if (range.first < 0 || range.last < range.first || !is_apart) return "ids that are out of order";
    last = range.last;
  }
  return nullptr;
}

}  // namespace

const char* flaw_of_names(std::string_view venue, std::string_view instrument) noexcept {
  return is_name(venue) && is_name(instrument) ? nullptr : "a name that no trade may have";
}

const char* flaw_of_venues(const std::vector<std::string>& names) noexcept {
  return std::ranges::all_of(names, is_name) ? nullptr : "a name that no venue may have";
}

const char* flaw_of(const StateKey& key, const FoldConfig& config) noexcept {
  if (key.kind == StateKind::progress) return nullptr;
  if (key.kind != StateKind::page) {
    if (const char* flaw = flaw_of_names(key.venue, key.instrument)) return flaw;
  }
  if (key.kind == StateKind::corrections) return nullptr;
  constexpr std::int64_t kLongestNs = 86'400'000'000'000;  // of a window that begins before its first trade
  const std::int64_t bound_ns = config.time_bound_ns();
  if (key.start_ns < -bound_ns - kLongestNs || key.start_ns > bound_ns) return "a window out of time";
  if (key.kind == StateKind::page) {
    if (floor_to(key.start_ns, StatePages::kLengthNs) != key.start_ns) return "a page of a time that begins no minute";
    return key.chunk >= kMaxChunks ? "a page beyond any number" : nullptr;
  }
  if (key.kind != StateKind::ids) return nullptr;
  if (floor_to(key.start_ns, IdBucket::kLengthNs) != key.start_ns) return "ids of a time that begins no bucket";
  return key.chunk >= kMaxChunks ? "a chunk of ids beyond any number" : nullptr;
}

const char* flaw_of(const Bar& bar, const FoldConfig& config) noexcept {
  const Aggregate& sum = bar.sum;
  if (sum.trade_count < 0 || sum.trade_count > kMaxTrades) return "a bar of an impossible number of trades";
  if (bar.revision < 0 || bar.revision > kMaxRevision) return "a bar of an impossible revision";
  if (bar.missing < 0) return "a bar that lacks less than nothing";
  if (!is_id(sum.first_id) || !is_id(sum.last_id)) return "a bar with a trade id that no trade may have";
  const bool are_volumes = std::max({sum.volume, sum.buy_volume, sum.sell_volume}) < kDecimalLimit;
  if (!are_volumes || sum.notional >= kNotionalLimit) return "a bar whose sums are out of range";
  const Returns& returns = sum.own_returns;
  const bool are_closes = std::min(returns.first_close, returns.last_close) >= 0;
  const bool are_returns = returns.count >= 0 && returns.count <= kMaxTrades && returns.squared < kDecimalLimit;
  if (!are_closes || !are_returns) return "a bar of impossible returns";
  const bool has_time = sum.newest_event_ns != kBeginning;
  return has_time && !is_time(sum.newest_event_ns, config) ? "a bar with a trade out of time" : nullptr;
}

const char* flaw_of(const Progress& progress, const FoldConfig& config) noexcept {
  if (progress.next_offset < -1) return "progress at an offset below 0";  // -1 is that of a reset
  const bool are_times =
      std::ranges::all_of(progress.clocks, [&](const VenueClock& clock) { return is_time(clock.time_ns, config); });
  if (!are_times) return "a clock out of time";
  const bool are_names = std::ranges::all_of(progress.clocks, is_name, &VenueClock::venue);
  return are_names ? nullptr : "a clock of a name that no venue may have";
}

const char* flaw_of(const std::vector<CarriedOut>& corrections, std::int64_t stretch,
                    const FoldConfig& config) noexcept {
  const bool are_times =
      std::ranges::all_of(corrections, [&](const CarriedOut& each) { return is_time(each.newest_ns, config); });
  if (!are_times) return "a correction out of time";
  const bool are_its_own = std::ranges::all_of(corrections, [&](const CarriedOut& each) {
    return each.offset >= 0 && (stretch == Corrections::kWholeLog || stretch == stretch_of(each.offset));
  });
  if (!are_its_own) return "a correction of another stretch of the log";
  return std::ranges::is_sorted(corrections, {}, &CarriedOut::offset) ? nullptr : "corrections that are out of order";
}

const char* flaw_of(const IdRanges& ranges) noexcept { return flaw_of_ids(ranges, false); }

const char* flaw_of(const std::vector<IdRuns::Run>& runs, std::int64_t time_bound_ns) noexcept {
  const bool are_times = std::ranges::all_of(runs, [&](const IdRuns::Run& run) {
    return is_time(run.first_ns, time_bound_ns) && is_time(run.last_ns, time_bound_ns) &&
           is_time(run.newest_ns, time_bound_ns);
  });
  return are_times ? flaw_of_ids(runs, true) : "a run of ids out of time";
}

}  // namespace livetape::kernel
