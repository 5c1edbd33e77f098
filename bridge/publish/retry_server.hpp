#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "core/metrics.hpp"
#include "core/trade.hpp"
#include "publish/file.hpp"
#include "publish/retry_protocol.hpp"
#include "publish/retry_ring.hpp"
#include "publish/spool.hpp"

namespace livetape::bridge {

/// What a retry may be asked for: the messages of one venue, those in memory of its session now, and those on disk that
/// its relay has not confirmed; a venue that the bridge itself writes has none of these.
struct RetrySource {
  std::string venue;
  SessionId session;
  const RetryRing* ring = nullptr;
  Spool* spool = nullptr;
};

/// Answers subscribers that missed messages, on a ROUTER socket of its own context and thread: it takes nothing from
/// the publisher but memory, so however much is asked, and however slowly answers are read, the live stream does not
/// wait. docs/ticks.md has the protocol.
class RetryServer {
 public:
  /// Throws std::runtime_error that names the address when it cannot be bound.
  RetryServer(const std::string& address, std::vector<RetrySource> sources, Metrics& metrics);
  ~RetryServer();
  RetryServer(const RetryServer&) = delete;
  RetryServer& operator=(const RetryServer&) = delete;

  void start();
  void stop();

  using Frames = std::vector<zmq::message_t>;
  /// The frames that answer a request, both with the client's address before them; none where there is no answer. It is
  /// the thread's own work, once it has started.
  [[nodiscard]] Frames answer(const Frames& request);

 private:
  void run();
  [[nodiscard]] Frames answer_state(const zmq::message_t& client);
  [[nodiscard]] Frames answer_unconfirmed(const zmq::message_t& client);
  [[nodiscard]] Frames answer_get(const zmq::message_t& client, const RetryRange& wanted);
  std::uint64_t add_from_memory(const RetryRing& ring, const RetryRange& wanted, Frames& frames);
  [[nodiscard]] static std::uint64_t settled_of(const RetrySource& source);
  [[nodiscard]] std::optional<std::uint64_t> add_from_disk(const RetryRange& wanted, Frames& frames);
  void add(const SessionId& session, const SpooledMessage& message, Frames& frames);
  void confirm(const RetryRange& confirmed);

  std::vector<RetrySource> sources_;
  std::vector<std::unique_ptr<SpoolReader>> readers_;  // of the sources that have a spool; null for the others
  Metrics& metrics_;
  zmq::context_t context_{1};
  File address_lock_;
  zmq::socket_t socket_{context_, zmq::socket_type::router};
  std::thread thread_;
};

}  // namespace livetape::bridge
