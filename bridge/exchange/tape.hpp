#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "core/trade.hpp"
#include "exchange/contiguous_ids.hpp"
#include "exchange/recent_ids.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// The id of what stands for the trade before the first one, where that is not known.
inline constexpr std::string_view kNoTrade = "-";

/// What is known of one instrument's trades: which came, whether some are missing, and what waits for those.
class Tape {
 public:
  explicit Tape(IdRule rule);

  /// Tells what a trade is to those before it, and keeps its id.
  [[nodiscard]] Verdict take(const Trade& trade);

  /// Whether a trade that is to be taken is the first of a count that the venue has begun anew.
  [[nodiscard]] bool counts_anew(const Trade& trade) const noexcept;
  /// What is lost by that: what is missing of the former count, and what was traded between both where nobody saw it.
  [[nodiscard]] std::vector<Gap> left_behind_by(const Trade& trade) const;

  /// Trades are shown since then, in UTC nanoseconds, and none has come yet.
  void begin(std::int64_t since_ns);
  /// Whether one has come, in this run or before it.
  [[nodiscard]] bool has_trade() const noexcept { return newest_ && newest_->id.view() != kNoTrade; }
  /// The newest trade, or what stands for the one before the first; nothing before it has begun.
  [[nodiscard]] const std::optional<Trade>& newest() const noexcept { return newest_; }
  /// The ids, where they are contiguous; null elsewhere.
  [[nodiscard]] ContiguousIds* numbered() noexcept { return std::get_if<ContiguousIds>(&ids_); }

  /// From now on there may be trades behind the newest that did not come: a connection was lost, or is silent.
  void doubt();
  /// The same, and nobody can settle it before it is closed: nothing shows what is traded until there is a connection
  /// that is subscribed to it.
  void open_doubt() {
    doubt();
    is_open_ = true;
  }
  /// Who asked before does not know of all that was not shown.
  void close_doubt() noexcept {
    is_open_ = false;
    ++doubts_;
  }
  [[nodiscard]] bool is_doubt_open() const noexcept { return is_open_; }
  /// How often it was doubted, so that who settles a doubt does not settle one that came meanwhile.
  [[nodiscard]] std::uint64_t doubts() const noexcept { return doubts_; }
  /// The newest trade before the doubt; nothing when there is none.
  [[nodiscard]] const std::optional<Trade>& doubted() const noexcept { return doubted_; }
  /// False where there is another doubt than that many, or an open one, to be looked into.
  [[nodiscard]] bool can_settle(std::uint64_t doubts) const noexcept { return doubts == doubts_ && !is_open_; }
  /// All is there up to this trade: of what is behind it there is doubt still.
  void narrow_doubt(const Trade& until) {
    if (doubted_ && until.event_time_ns > doubted_->event_time_ns) doubted_ = until;
  }
  /// All is there, unless it cannot be settled.
  void settle_doubt(std::uint64_t doubts);
  /// Nothing is missing, as far as one can tell.
  [[nodiscard]] bool is_whole() const noexcept;
  /// The last trade before anything that is missing: its id, order number and event time. Nothing before the first.
  [[nodiscard]] std::optional<Trade> whole_until() const;
  /// Those behind a gap wait from then on, in steady nanoseconds; nothing where they wait already.
  void hold(std::int64_t steady_ns) {
    if (held_since_ns_ && !is_released_) return;
    if (!held_since_ns_) before_held_ = whole_until();
    held_since_ns_ = steady_ns;
    is_released_ = false;
  }
  /// What waits need wait no longer, but to be handed over; where another gap is seen before that is done it waits on.
  void release() noexcept { is_released_ = held_since_ns_.has_value(); }
  [[nodiscard]] bool is_released() const noexcept { return is_released_; }
  /// Hands over so many of those at most, the oldest first. Once none is left of what was released nothing waits.
  template <typename Take>
  void hand_over(std::size_t most, Take take) {
    for (; most > 0 && !held.empty(); --most) {
      take(held.front());
      held.pop_front();
    }
    if (!held.empty() || !is_released_) return;
    held = {};  // and the memory
    held_since_ns_.reset();
    is_released_ = false;
  }
  /// Since when trades wait; nothing: none do.
  [[nodiscard]] std::optional<std::int64_t> held_since_ns() const noexcept { return held_since_ns_; }
  /// The last trade before anything that is missing, or that waits for what was missing: where to go on after a crash.
  [[nodiscard]] std::optional<Trade> safe_until() const { return held_since_ns_ ? before_held_ : whole_until(); }

  std::deque<Message> held;      // newer trades that Kafka does not have yet
  std::int64_t whole_at_ns = 0;  // UTC; when nothing was missing last, as far as one could tell

 private:
  std::variant<ContiguousIds, RecentIds> ids_;
  std::optional<Trade> newest_;
  std::optional<Trade> doubted_;
  std::optional<std::int64_t> held_since_ns_;
  std::optional<Trade> before_held_;  // as it was when they began to wait: a doubt that comes later is of newer trades
  std::uint64_t doubts_ = 0;
  bool is_open_ = false;      // the doubt
  bool is_released_ = false;  // what waits
};

}  // namespace livetape::bridge
