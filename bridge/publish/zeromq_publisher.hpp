#pragma once

#include <memory>
#include <vector>
#include <zmq.hpp>

#include "core/config.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "publish/publisher_thread.hpp"
#include "publish/record.hpp"

namespace livetape::bridge {

/// Publishes every message at once on a PUB socket, in three frames: the key, the session's 16 bytes with the message's
/// number (8 bytes, big-endian), and the same value that Kafka gets. A slow subscriber loses messages and sees the
/// hole.
class ZeroMqPublisher {
 public:
  /// Throws std::runtime_error that names the address when it cannot be bound.
  ZeroMqPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics);

  void start();
  /// Publishes what is in the rings, and gives subscribers a second to take it.
  void stop();

 private:
  void take(std::size_t ring, const Message& message);
  bool poll();

  Metrics& metrics_;
  std::vector<RecordEncoder> encoders_;
  std::vector<SessionId> sessions_;
  std::vector<MessageRing*> rings_;
  std::vector<PolledSource*> polled_;
  zmq::context_t context_{1};
  zmq::socket_t socket_{context_, zmq::socket_type::pub};
  std::unique_ptr<PublisherThread> thread_;
};

}  // namespace livetape::bridge
