#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string_view>

#include "core/trade.hpp"

namespace livetape::bridge {

/// Trades that found no room on their way to Kafka, as gaps to be told once there is room again: one an instrument. A
/// gap has the number of the first message of which it tells, as Kafka has none other with it where the bridge writes
/// itself; a relay may have written that one, and then tells of the rest by its own count alone.
class RefusedTrades {
 public:
  /// Takes a message that was refused. Of clocks, quotes and candles nobody is told.
  void add(const Message& message) {
    if (message.kind != Message::Kind::trade && message.kind != Message::Kind::gap) return;
    const Message gap = as_gap(message);
    const auto [known, is_new] = numbers_.try_emplace(instrument_of(gap.gap), gap.sequence);
    if (is_new) {
      gaps_.emplace(gap.sequence, gap);
    } else {
      widen(gaps_.at(known->second).gap, gap.gap);
    }
  }

  /// The gap to be told next, in the order of their numbers; null when there is none.
  [[nodiscard]] const Message* front() const noexcept { return gaps_.empty() ? nullptr : &gaps_.begin()->second; }
  /// It was told.
  void pop() {
    const Gap& told = gaps_.begin()->second.gap;
    numbers_.erase(instrument_of(told));
    gaps_.erase(gaps_.begin());
  }
  [[nodiscard]] bool is_empty() const noexcept { return gaps_.empty(); }

 private:
  static constexpr std::uint32_t kAny = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::string_view kReason = "there was no room for them on the way to Kafka";

  [[nodiscard]] static std::uint32_t instrument_of(const Gap& gap) noexcept {
    return gap.is_of_any ? kAny : gap.instrument;
  }

  [[nodiscard]] static Message as_gap(const Message& refused) {
    if (refused.kind == Message::Kind::gap) return refused;
    const Trade& trade = refused.trade;
    Message told;
    told.kind = Message::Kind::gap;
    told.sequence = refused.sequence;
    told.gap = {.instrument = trade.instrument,
                .has_ids = trade.has_seq,
                .first_id = trade.seq,
                .last_id = trade.seq,
                .from_time_ns = trade.event_time_ns,
                .to_time_ns = trade.event_time_ns,
                .reason = kReason};
    return told;
  }

  static void widen(Gap& gap, const Gap& more) {
    gap.has_ids = gap.has_ids && more.has_ids;
    gap.first_id = std::min(gap.first_id, more.first_id);
    gap.last_id = std::max(gap.last_id, more.last_id);
    gap.from_time_ns = std::min(gap.from_time_ns, more.from_time_ns);
    gap.to_time_ns = std::max(gap.to_time_ns, more.to_time_ns);
    gap.first_message = std::min(gap.first_message, more.first_message);
    gap.last_message = std::max(gap.last_message, more.last_message);
    if (gap.reason != more.reason) gap.reason = kReason;
  }

  std::map<std::uint64_t, Message> gaps_;           // by their numbers
  std::map<std::uint32_t, std::uint64_t> numbers_;  // by instrument
};

}  // namespace livetape::bridge
