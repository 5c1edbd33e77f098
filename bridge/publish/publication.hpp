#pragma once

#include <cstddef>

#include "core/trade.hpp"
#include "publish/position.hpp"
#include "publish/pub_socket.hpp"
#include "publish/record.hpp"
#include "publish/retry_ring.hpp"

namespace livetape::bridge {

/// One venue's messages on a PUB socket, in three frames: the key, the session's 16 bytes with the message's number (8
/// bytes, big-endian), and the same value that Kafka gets. The newest are kept for those who miss them. One thread
/// publishes.
class Publication {
 public:
  Publication(RecordEncoder encoder, const SessionId& session, std::size_t kept_bytes)
      : encoder_(std::move(encoder)), session_(session), kept_(kept_bytes) {}

  void publish(const Message& message, PubSocket& socket) {
    const auto value = encoder_.encode(message);
    const auto key = encoder_.key(message);
    socket.send(key, position_of(session_, message.sequence), value);
    kept_.put(message.sequence, key, value);
  }

  [[nodiscard]] const RetryRing& kept() const noexcept { return kept_; }

 private:
  RecordEncoder encoder_;
  SessionId session_;
  RetryRing kept_;
};

}  // namespace livetape::bridge
