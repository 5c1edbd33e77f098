#pragma once

#include <memory>
#include <vector>
#include <zmq.hpp>

#include "core/config.hpp"
#include "core/least_lag.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "publish/file.hpp"
#include "publish/pub_socket.hpp"
#include "publish/publication.hpp"
#include "publish/retry_server.hpp"

namespace livetape::bridge {

/// Publishes every message at once on a PUB socket, in the thread of its source: no other thread has to be woken for
/// it. A slow subscriber loses messages, sees the hole, and may ask for what is kept of them.
class ZeroMqPublisher {
 public:
  /// From now on the sources publish here.
  /// Throws std::runtime_error that names the address when it cannot be bound.
  ZeroMqPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics);

  /// Gives subscribers a second to take what is under way. The sources must have ended.
  void stop();

  /// What it keeps of each venue for those who missed it; to be read as long as the publisher is there.
  [[nodiscard]] std::vector<RetrySource> retry_sources() const { return retry_sources_; }

 private:
  /// A source's own, for its thread alone.
  struct Lane {
    Lane(const Config& config, const MessageSource& source, VenueMetrics& venue_metrics);

    Publication publication;
    VenueMetrics& metrics;
    LeastLag lag;
  };

  void publish(Lane& lane, const Message& message);

  Metrics& metrics_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<RetrySource> retry_sources_;
  zmq::context_t context_{1};
  File address_lock_;
  PubSocket socket_;
};

}  // namespace livetape::bridge
