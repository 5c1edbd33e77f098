#pragma once

#include <memory>

#include "core/instruments.hpp"
#include "core/polled_source.hpp"
#include "core/spsc_ring.hpp"
#include "core/trade.hpp"

namespace livetape::bridge {

using MessageRing = SpscRing<Message>;

/// What a venue's thread gives the publishers: the names and the session of its messages, and a ring for each of them.
struct MessageSource {
  std::shared_ptr<const Instruments> instruments;
  SessionId session{};
  MessageRing* kafka = nullptr;
  MessageRing* zeromq = nullptr;
  PolledSource* polled = nullptr;  // read by the ZeroMQ publisher in place of its ring, where there is one
  bool has_quotes = false;         // its quotes and clocks go to `quotes`
};

/// A session that no other run has.
[[nodiscard]] SessionId random_session_id();

}  // namespace livetape::bridge
