#include "exchange/position_keeper.hpp"

#include <algorithm>
#include <string_view>

#include "core/log.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kKeepEveryNs = 2'000'000'000;
constexpr std::int64_t kLongestAwayNs = 86'400'000'000'000;

}  // namespace

PositionKeeper::PositionKeeper(const std::filesystem::path& folder, const VenueConfig& config, std::vector<Tape>& tapes,
                               const MessageRing& ring, VenueMetrics& metrics)
    : config_(config), tapes_(tapes), metrics_(metrics), file_(folder, config.venue), ring_(ring) {}

void PositionKeeper::resume() {
  const std::int64_t oldest_ns = utc_now_ns() - kLongestAwayNs;
  for (const InstrumentPosition& position : file_.read()) {
    const auto instrument = std::ranges::find(config_.instruments, position.instrument);
    if (instrument == config_.instruments.end()) continue;
    if (position.whole_until_ns < oldest_ns) {
      log(config_.venue,
          position.instrument + " was read last more than a day ago: what was traded since is not fetched");
      continue;
    }
    Tape& tape = tapes_[static_cast<std::size_t>(instrument - config_.instruments.begin())];
    if (position.trade.id.view() == kNoTrade && !position.trade.has_seq) {
      tape.begin(position.trade.event_time_ns);
    } else {
      (void)tape.take(position.trade);
    }
    tape.whole_at_ns = position.whole_until_ns;
  }
}

void PositionKeeper::begin(std::uint32_t instrument, std::int64_t since_ns) {
  tapes_[instrument].begin(since_ns);
  keep_beginning(instrument, *tapes_[instrument].newest());
}

void PositionKeeper::begin(const Trade& first) {
  Trade before = first;
  before.has_seq = tapes_[first.instrument].numbered() != nullptr;
  if (before.has_seq) --before.seq;
  (void)before.id.assign(kNoTrade);
  keep_beginning(first.instrument, before);
}

void PositionKeeper::keep_beginning(std::uint32_t instrument, const Trade& before) {
  std::string line;
  PositionFile::append({config_.instruments[instrument], before, before.event_time_ns}, line);
  if (!file_.add(line)) ++metrics_.positions_not_kept;
  lines_ += line;  // which are to replace the file, and knew nothing of it
}

void PositionKeeper::keep(std::int64_t steady_ns) {
  if (steady_ns < keep_at_ns_ || ring_.settled() < lines_until_) return;
  keep_at_ns_ = steady_ns + kKeepEveryNs;
  if (!lines_.empty() && !file_.write(lines_)) ++metrics_.positions_not_kept;
  lines_.clear();
  lines_until_ = ring_.pushed();
  const std::int64_t now_ns = utc_now_ns();
  for (std::size_t i = 0; i < tapes_.size(); ++i) {
    const Tape& tape = tapes_[i];
    const auto trade = tape.safe_until();
    if (!trade) continue;
    const bool is_whole = tape.is_whole() && !tape.held_until_ns();
    PositionFile::append({config_.instruments[i], *trade, is_whole ? now_ns : trade->event_time_ns}, lines_);
  }
}

}  // namespace livetape::bridge
