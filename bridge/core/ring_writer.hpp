#pragma once

#include <string>
#include <utility>

#include "core/counter.hpp"
#include "core/log.hpp"
#include "core/message_source.hpp"
#include "core/refused_trades.hpp"

namespace livetape::bridge {

/// Puts a venue's messages into Kafka's ring, and counts and says what finds no room there. Of trades it tells by gaps,
/// in front of the next message that has room.
class RingWriter {
 public:
  RingWriter(MessageRing& ring, Counter& dropped, std::string venue)
      : ring_(ring), dropped_(dropped), venue_(std::move(venue)) {}

  void put(const Message& message) {
    put_silently(message);
    ring_.ring();
  }
  /// The same, but leaves a publisher that sleeps asleep: waking it costs a system call.
  void put_silently(const Message& message) {
    const bool is_dropped = !has_told_refused() || !ring_.push_silently(message);
    if (is_dropped) {
      ++dropped_;
      refused_.add(message);
    }
    if (is_dropped == is_dropping_) return;
    is_dropping_ = is_dropped;
    log(venue_, std::string(is_dropped ? "messages are lost from number " : "messages are kept again from number ") +
                    std::to_string(message.sequence) + " on: the queue to Kafka " +
                    (is_dropped ? "is full" : "has room"));
  }
  /// Whether trades found no room, and nobody was told yet.
  [[nodiscard]] bool owes_gaps() const noexcept { return !refused_.is_empty(); }

 private:
  /// False where there is no room for all that is to be told.
  [[nodiscard]] bool has_told_refused() {
    for (const Message* gap = refused_.front(); gap != nullptr; gap = refused_.front()) {
      if (!ring_.push_silently(*gap)) return false;
      refused_.pop();
    }
    return true;
  }

  MessageRing& ring_;
  Counter& dropped_;
  std::string venue_;
  bool is_dropping_ = false;
  RefusedTrades refused_;
};

}  // namespace livetape::bridge
