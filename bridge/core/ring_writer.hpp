#pragma once

#include <string>
#include <utility>

#include "core/counter.hpp"
#include "core/log.hpp"
#include "core/message_source.hpp"

namespace livetape::bridge {

/// Puts a venue's messages into Kafka's ring, and counts and says what finds no room there.
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
    const bool is_dropped = !ring_.push_silently(message);
    if (is_dropped) ++dropped_;
    if (is_dropped == is_dropping_) return;
    is_dropping_ = is_dropped;
    log(venue_, std::string(is_dropped ? "messages are lost from number " : "messages are kept again from number ") +
                    std::to_string(message.sequence) + " on: the queue to Kafka " +
                    (is_dropped ? "is full" : "has room"));
  }

 private:
  MessageRing& ring_;
  Counter& dropped_;
  std::string venue_;
  bool is_dropping_ = false;
};

}  // namespace livetape::bridge
