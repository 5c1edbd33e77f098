#include "exchange/position_keeper.hpp"

#include <algorithm>
#include <string_view>

#include "core/log.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kKeepEveryNs = 2'000'000'000;
constexpr std::int64_t kLongestAwayNs = 86'400'000'000'000;
constexpr std::string_view kNoTrade = "-";  // the id of none

}  // namespace

PositionKeeper::PositionKeeper(const std::filesystem::path& folder, const VenueConfig& config, std::vector<Tape>& tapes,
                               const MessageRing& ring, VenueMetrics& metrics)
    : config_(config), tapes_(tapes), metrics_(metrics), file_(folder, config.venue), ring_(ring) {}

void PositionKeeper::resume() {
  const std::int64_t oldest_ns = utc_now_ns() - kLongestAwayNs;
  for (const InstrumentPosition& position : file_.read()) {
    const auto instrument = std::ranges::find(config_.instruments, position.instrument);
    if (instrument == config_.instruments.end()) continue;
    if (position.trade.event_time_ns < oldest_ns) {
      log(config_.venue,
          position.instrument + " was read last more than a day ago: what was traded since is not fetched");
      continue;
    }
    (void)tapes_[static_cast<std::size_t>(instrument - config_.instruments.begin())].take(position.trade);
  }
}

void PositionKeeper::begin(const Trade& first) {
  Trade before = first;
  if (tapes_[first.instrument].numbered() != nullptr) --before.seq;
  (void)before.id.assign(kNoTrade);
  std::string line;
  PositionFile::append(config_.instruments[first.instrument], before, line);
  if (!file_.add(line)) ++metrics_.positions_not_kept;
  lines_ += line;  // which are to replace the file, and knew nothing of it
}

void PositionKeeper::keep(std::int64_t steady_ns) {
  if (steady_ns < keep_at_ns_ || ring_.settled() < lines_until_) return;
  keep_at_ns_ = steady_ns + kKeepEveryNs;
  if (!lines_.empty() && !file_.write(lines_)) ++metrics_.positions_not_kept;
  lines_.clear();
  lines_until_ = ring_.pushed();
  for (std::size_t i = 0; i < tapes_.size(); ++i) {
    if (const auto trade = tapes_[i].safe_until()) PositionFile::append(config_.instruments[i], *trade, lines_);
  }
}

}  // namespace livetape::bridge
