#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "core/config.hpp"
#include "core/trade.hpp"
#include "publish/kafka_producer.hpp"
#include "publish/retry_protocol.hpp"
#include "relay/relay_metrics.hpp"
#include "relay/session_order.hpp"

namespace livetape::bridge {

/// ZeroMQ → Kafka: writes every message of the venues that have a relay, in the order of their numbers, and confirms to
/// the bridge what the brokers have. It keeps nothing itself: what it missed, what Kafka had no room for and what was
/// not confirmed when it last ended it asks the bridge for.
class Relay {
 public:
  /// `on_fatal` is called, from the relay's thread, when the producer can write no more, or messages come of a
  /// schema that was not registered yet when the process began, and only a new one helps.
  /// Throws std::runtime_error for settings that Kafka refuses, a topic that is not there, or no venue to relay.
  Relay(const Config& config, RelayMetrics& metrics, std::function<void()> on_fatal);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  void start();
  /// Waits until the brokers have what was taken, for eight seconds at most, and confirms it. What they do not have the
  /// bridge keeps.
  void stop();

 private:
  /// One run of the bridge's client of a venue.
  struct Session {
    SessionId id{};
    std::size_t producer_number = 0;
    SessionOrder order;
    std::uint64_t confirmed = 0;  // to the bridge
  };
  /// A venue, with its sessions from the oldest that is not wholly in Kafka; only that one is written.
  struct Lane {
    RelayVenueMetrics& metrics;
    bool has_quotes;
    std::deque<Session> sessions{};
    std::uint64_t asked_from = 0;  // first number of the request that is under way; 0 when none is
    std::int64_t ask_again_at_ns = 0;
  };

  void run();
  void take_live();
  void take_live_message();
  void take_answers();
  void take_unconfirmed(const std::vector<zmq::message_t>& answer);
  void take_got(const std::vector<zmq::message_t>& answer);
  void learn(Lane& lane, const RetryRange& unconfirmed);
  static void end_what_is_over(Lane& lane, const std::vector<SessionId>& told);
  void advance(Lane& lane);
  void confirm(Lane& lane);
  void ask(Lane& lane);
  void ask_what_is_unconfirmed();
  void reconnect();
  void send(std::string_view kind, const RetryRange* range);
  [[nodiscard]] bool may_write(std::span<const std::uint8_t> value);
  [[nodiscard]] auto producing(const Session& session);
  [[nodiscard]] bool is_ours(const SessionId& session);
  [[nodiscard]] Lane* lane_of(std::string_view venue) noexcept;

  NamespaceMark namespace_mark_;
  std::string retry_address_;
  std::function<void()> on_fatal_;
  KafkaProducer producer_;
  std::deque<Lane> lanes_;
  zmq::context_t context_{1};
  zmq::socket_t live_{context_, zmq::socket_type::sub};
  zmq::socket_t retry_{context_, zmq::socket_type::dealer};
  std::vector<zmq::message_t> frames_;
  std::int64_t ask_at_ns_ = 0;
  std::int64_t answered_at_ns_ = 0;
  std::int64_t connected_at_ns_ = 0;
  bool is_unanswered_ = false;
  bool has_met_others_ = false;
  bool has_met_unknown_ = false;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace livetape::bridge
