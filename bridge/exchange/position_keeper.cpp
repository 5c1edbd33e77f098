#include "exchange/position_keeper.hpp"

#include <algorithm>
#include <string_view>

#include "core/log.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kGatherEveryNs = 2'000'000'000;
constexpr std::int64_t kLongestAwayNs = 86'400'000'000'000;
constexpr std::string_view kUnread = "nobody read them for more than a day";

}  // namespace

PositionKeeper::PositionKeeper(const std::filesystem::path& folder, const VenueConfig& config, std::vector<Tape>& tapes,
                               const MessageRing& ring, VenueMetrics& metrics)
    : config_(config),
      tapes_(tapes),
      metrics_(metrics),
      file_(folder, config.venue),
      ring_(ring),
      left_(config.instruments.size()) {}

void PositionKeeper::resume() {
  const std::int64_t oldest_ns = utc_now_ns() - kLongestAwayNs;
  for (const InstrumentPosition& position : file_.read()) {
    const auto instrument = std::ranges::find(config_.instruments, position.instrument);
    if (instrument == config_.instruments.end()) continue;
    const auto i = static_cast<std::size_t>(instrument - config_.instruments.begin());
    Tape& tape = tapes_[i];
    if (tape.numbered() != nullptr && position.whole_until_ns < oldest_ns) {
      log(config_.venue,
          position.instrument + " was read last more than a day ago: what was traded since is not fetched");
      left_[i] = position;
      continue;
    }
    left_[i].reset();
    if (position.trade.id.view() == kNoTrade && !position.trade.has_seq) {
      tape.begin(position.trade.event_time_ns);
    } else {
      (void)tape.take(position.trade);
    }
    tape.whole_at_ns = position.whole_until_ns;
    tape.open_doubt();
  }
}

std::optional<Gap> PositionKeeper::unread(std::uint32_t instrument) {
  Tape& tape = tapes_[instrument];
  if (!left_[instrument] || !tape.has_trade() || !tape.is_whole()) return std::nullopt;
  const Trade before = left_[instrument]->trade;
  left_[instrument].reset();
  const std::int64_t first = *tape.numbered()->oldest();
  if (before.has_seq && first == before.seq + 1) return std::nullopt;
  Gap gap{.instrument = instrument, .has_ids = before.has_seq && first > before.seq, .reason = kUnread};
  if (gap.has_ids) {
    gap.first_id = before.seq + 1;
    gap.last_id = first - 1;
  }
  gap.from_time_ns = before.event_time_ns;
  gap.to_time_ns = tape.numbered()->oldest_time_ns();
  return gap;
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

/// While trades before it are still to be told, it stays where the last run ended.
void PositionKeeper::keep_beginning(std::uint32_t instrument, const Trade& before) {
  if (left_[instrument]) return;
  std::string line;
  PositionFile::append({config_.instruments[instrument], before, before.event_time_ns}, line);
  if (!file_.add(line)) ++metrics_.positions_not_kept;
  if (lines_) *lines_ += line;  // which are to replace the file, and knew nothing of it
}

void PositionKeeper::keep(std::int64_t steady_ns) {
  if (lines_ && ring_.settled() >= lines_until_) write();
  if (lines_ || steady_ns < gather_at_ns_) return;
  gather_at_ns_ = steady_ns + kGatherEveryNs;
  gather();
}

void PositionKeeper::write() {
  if (!lines_->empty() && !file_.write(*lines_)) ++metrics_.positions_not_kept;
  lines_.reset();
}

void PositionKeeper::gather() {
  lines_until_ = ring_.pushed();
  std::string& lines = lines_.emplace();
  const std::int64_t now_ns = utc_now_ns();
  for (std::size_t i = 0; i < tapes_.size(); ++i) {
    Tape& tape = tapes_[i];
    if (tape.is_whole() && !tape.held_since_ns()) tape.whole_at_ns = now_ns;
    if (left_[i]) {
      PositionFile::append(*left_[i], lines);
    } else if (const auto trade = tape.safe_until()) {
      const std::int64_t whole_until_ns = std::max(trade->event_time_ns, tape.whole_at_ns);
      PositionFile::append({config_.instruments[i], *trade, whole_until_ns}, lines);
    }
  }
}

}  // namespace livetape::bridge
