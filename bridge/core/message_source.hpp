#pragma once

#include <functional>
#include <memory>

#include "core/instruments.hpp"
#include "core/spsc_ring.hpp"
#include "core/trade.hpp"

namespace livetape::bridge {

using MessageRing = SpscRing<Message>;

/// Publishes a message before it returns.
using PublishAtOnce = std::function<void(const Message& message)>;

/// What a venue's thread gives the publishers: the names and the session of its messages, a ring for Kafka's, and a way
/// to be told, before it starts, how each message is published at once.
struct MessageSource {
  std::shared_ptr<const Instruments> instruments;
  SessionId session{};
  MessageRing* kafka = nullptr;
  std::function<void(PublishAtOnce publish)> publish_by;
  bool has_quotes = false;  // its quotes and clocks go to `quotes`
};

}  // namespace livetape::bridge
