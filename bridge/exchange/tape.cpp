#include "exchange/tape.hpp"

#include <algorithm>
#include <string_view>

#include "exchange/json.hpp"

namespace livetape::bridge {
namespace {

constexpr std::string_view kCountedAnew = "the venue has begun to count its trades anew";

std::variant<ContiguousIds, RecentIds> ids_by(IdRule rule) {
  if (rule == IdRule::contiguous) return ContiguousIds();
  return RecentIds();
}

}  // namespace

Tape::Tape(IdRule rule) : ids_(ids_by(rule)) {}

void Tape::begin(std::int64_t since_ns) {
  newest_.emplace();
  (void)newest_->id.assign(kNoTrade);
  newest_->event_time_ns = since_ns;
}

Verdict Tape::take(const Trade& trade) {
  Verdict verdict = Verdict::fresh;
  bool is_newest = true;
  if (auto* const numbered = std::get_if<ContiguousIds>(&ids_)) {
    verdict = numbered->take(trade.seq, trade.event_time_ns, trade.numbers);
    is_newest = numbered->newest() == trade.seq;
  } else {
    if (!std::get<RecentIds>(ids_).add(trade.id.view())) verdict = Verdict::duplicate;
    is_newest = !newest_ || trade.event_time_ns >= newest_->event_time_ns;
  }
  if (verdict != Verdict::duplicate && is_newest) newest_ = trade;
  return verdict;
}

bool Tape::counts_anew(const Trade& trade) const noexcept {
  const auto* const numbered = std::get_if<ContiguousIds>(&ids_);
  return numbered != nullptr && numbered->counts_anew(trade.seq, trade.event_time_ns);
}

/// Trades that came one after the other, to the first of the new count, leave nothing between both.
std::vector<Gap> Tape::left_behind_by(const Trade& trade) const {
  constexpr std::int64_t kFirst = 1;
  std::vector<Gap> lost;
  for (const MissingIds& range : std::get<ContiguousIds>(ids_).missing()) {
    lost.push_back(
        {trade.instrument, true, range.first, range.last, range.from_time_ns, range.to_time_ns, kCountedAnew});
  }
  if (doubted_ || trade.seq - trade.numbers >= kFirst) {
    lost.push_back({trade.instrument, false, 0, 0, newest_->event_time_ns, trade.event_time_ns, kCountedAnew});
  }
  return lost;
}

/// While there is doubt no id is forgotten: a history may bring any number of trades, some of them again.
void Tape::doubt() {
  ++doubts_;
  if (doubted_ || !newest_) return;
  doubted_ = newest_;
  if (auto* const recent = std::get_if<RecentIds>(&ids_)) recent->keep_all();
}

void Tape::settle_doubt(std::uint64_t doubts) {
  if (!can_settle(doubts)) return;
  doubted_.reset();
  if (auto* const recent = std::get_if<RecentIds>(&ids_)) recent->keep_newest();
}

bool Tape::is_whole() const noexcept {
  const auto* const numbered = std::get_if<ContiguousIds>(&ids_);
  return !doubted_ && (numbered == nullptr || numbered->missing().empty());
}

std::optional<Trade> Tape::whole_until() const {
  std::optional<Trade> until = doubted_ ? doubted_ : newest_;
  const auto* const numbered = std::get_if<ContiguousIds>(&ids_);
  if (!until || numbered == nullptr || numbered->missing().empty()) return until;
  const MissingIds& first = numbered->missing().front();
  if (first.first > until->seq) return until;
  (void)set_numbered_id(first.first - 1, *until);
  until->event_time_ns = first.from_time_ns;
  return until;
}

}  // namespace livetape::bridge
