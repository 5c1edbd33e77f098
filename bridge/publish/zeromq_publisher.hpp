#pragma once

#include <chrono>
#include <memory>
#include <vector>
#include <zmq.hpp>

#include "core/config.hpp"
#include "core/least_lag.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "publish/publication.hpp"
#include "publish/publisher_thread.hpp"
#include "publish/retry_server.hpp"

namespace livetape::bridge {

/// Publishes every message at once on a PUB socket. A slow subscriber loses messages, sees the hole, and may ask for
/// what is kept of them.
class ZeroMqPublisher {
 public:
  /// Throws std::runtime_error that names the address when it cannot be bound.
  ZeroMqPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics);

  void start();
  /// Publishes what is in the rings, and gives subscribers a second to take it.
  void stop();

  /// What it keeps of each venue for those who missed it; to be read as long as the publisher is there.
  [[nodiscard]] std::vector<RetrySource> retry_sources() const { return retry_sources_; }

 private:
  void take(std::size_t ring, const Message& message);
  bool poll();
  void note_times(std::size_t ring, const Trade& trade) noexcept;

  Metrics& metrics_;
  std::vector<std::unique_ptr<Publication>> publications_;
  std::vector<RetrySource> retry_sources_;
  std::vector<LeastLag> lags_;
  std::vector<MessageRing*> rings_;
  std::vector<PolledSource*> polled_;
  zmq::context_t context_{1};
  zmq::socket_t socket_{context_, zmq::socket_type::pub};
  std::chrono::nanoseconds spin_;
  std::unique_ptr<PublisherThread> thread_;
};

}  // namespace livetape::bridge
