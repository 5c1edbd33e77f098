#pragma once

#include <librdkafka/rdkafkacpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/metrics.hpp"
#include "publish/delivery_window.hpp"

namespace livetape::bridge {

/// Writes sessions' messages to `trades`: a trade to its key's partition, a clock to each partition, in the order that
/// they came. Idempotent and acknowledged by all replicas, so that librdkafka's own retries neither lose nor reorder.
/// What is under way is bounded; whoever produces keeps the rest. For one thread alone.
class KafkaProducer final : RdKafka::DeliveryReportCb, RdKafka::EventCb {
 public:
  using Settings = std::vector<std::pair<std::string, std::string>>;  // librdkafka's own names

  /// Asks the brokers for the topic; when they do not answer yet it says so, and `poll` asks again. `on_fatal` is
  /// called by `poll` when the producer can write no more and only a new process helps.
  /// Throws std::runtime_error for a setting that librdkafka refuses, or a topic that the brokers do not have.
  KafkaProducer(const Settings& settings, std::string topic, KafkaMetrics& metrics, std::function<void()> on_fatal);
  ~KafkaProducer() override;
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  /// Begins a session; its number for the other calls.
  [[nodiscard]] std::size_t add_session();
  /// Takes a message; false when there is no room for it now.
  [[nodiscard]] bool produce(std::size_t number, std::uint64_t sequence, std::string_view key,
                             std::span<const std::uint8_t> value);
  /// Whether it would take a message now, as far as it can tell.
  [[nodiscard]] bool has_room(std::size_t session, std::uint64_t sequence) const noexcept {
    return partitions_ != 0 && sessions_[session].window.has_room(sequence);
  }
  /// The message up to which the brokers have all of the session's; 0 before the first.
  [[nodiscard]] std::uint64_t confirmed(std::size_t session) const noexcept {
    return sessions_[session].window.confirmed();
  }
  /// Whether nothing of the session is under way.
  [[nodiscard]] bool is_idle(std::size_t session) const noexcept { return sessions_[session].window.is_empty(); }
  /// Learns what was delivered.
  void poll();
  /// Waits until all that was taken is delivered, as long as the brokers are there and it is not that time.
  void flush(std::int64_t give_up_at_ns);

 private:
  struct Session {
    explicit Session(std::size_t under_way) : window(under_way) {}
    DeliveryWindow window;
    std::uint64_t begun = 0;      // number of the newest message that is sent, or in part
    std::int32_t copies_out = 0;  // how many of its copies are sent
  };

  void dr_cb(RdKafka::Message& message) override;
  void event_cb(RdKafka::Event& event) override;
  void make_producer(const Settings& settings);
  [[nodiscard]] bool find_partitions(int timeout_ms);
  void ask_again();
  [[nodiscard]] bool send(std::string_view key, std::span<const std::uint8_t> value, std::int32_t partition, void* tag);
  void refuse(RdKafka::ErrorCode code, void* tag);
  void was_delivered(void* tag) noexcept;

  std::string topic_name_;
  std::string brokers_;
  KafkaMetrics& metrics_;
  std::function<void()> on_fatal_;
  std::unique_ptr<RdKafka::Producer> producer_;
  std::unique_ptr<RdKafka::Topic> topic_;
  std::vector<Session> sessions_;
  std::int32_t partitions_ = 0;
  std::int64_t ask_again_at_ns_ = 0;  // by steady time
  bool is_away_ = false;
  RdKafka::ErrorCode last_refusal_ = RdKafka::ERR_NO_ERROR;
};

}  // namespace livetape::bridge
