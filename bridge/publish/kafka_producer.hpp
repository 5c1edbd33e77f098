#pragma once

#include <librdkafka/rdkafkacpp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "core/metrics.hpp"
#include "core/schema_ids.hpp"
#include "publish/delivery_window.hpp"

namespace livetape::bridge {

/// Writes sessions' messages, in the order that they came: a trade to its key's partition of `trades`, a gap to `gaps`,
/// a quote to `quotes`, a candle to `candles`, and a clock to each partition of `trades`, and of `quotes` where the
/// venue has those. Idempotent and acknowledged by all replicas, so that librdkafka's own retries neither lose nor
/// reorder. What is under way is bounded; whoever produces keeps the rest. For one thread alone.
class KafkaProducer final : RdKafka::DeliveryReportCb, RdKafka::EventCb {
 public:
  /// Asks the brokers for the topics; when they do not answer yet it says so, and `poll` asks again. `on_fatal` is
  /// called by `poll` when the producer can write no more and only a new process helps.
  /// Throws std::runtime_error for a setting that librdkafka refuses, or a topic that the brokers do not have.
  KafkaProducer(const Config& config, KafkaMetrics& metrics, std::function<void()> on_fatal);
  ~KafkaProducer() override;
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  /// Begins a session of a venue; its number for the other calls.
  [[nodiscard]] std::size_t add_session(bool has_quotes);
  /// Takes a message; its numbers rise. False when there is no room for it now.
  [[nodiscard]] bool produce(std::size_t number, std::uint64_t sequence, std::string_view key,
                             std::span<const std::uint8_t> value);
  /// Whether it would take a message now, as far as it can tell.
  [[nodiscard]] bool has_room(std::size_t session, std::uint64_t sequence) const noexcept {
    return has_partitions_ && sessions_[session].window.has_room(sequence);
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
  struct Topic {
    std::string name;
    std::unique_ptr<RdKafka::Topic> handle{};
    std::int32_t partitions = 0;
  };
  /// Where a copy of a record goes.
  struct Place {
    const Topic& topic;
    std::int32_t partition;
  };
  struct Session {
    DeliveryWindow window;
    bool has_quotes = false;
    std::uint64_t begun = 0;      // number of the newest message that is sent, or in part
    std::int32_t copies_out = 0;  // how many of its copies are sent
  };

  void dr_cb(RdKafka::Message& message) override;
  void event_cb(RdKafka::Event& event) override;
  void make_producer(const Config& config);
  [[nodiscard]] bool find_partitions(int timeout_ms);
  [[nodiscard]] bool find_partitions(Topic& topic, int timeout_ms);
  void ask_again();
  [[nodiscard]] std::int32_t clock_copies(const Session& session) const noexcept;
  [[nodiscard]] Place place_of_clock(std::int32_t copy) const noexcept;
  [[nodiscard]] const Topic& topic_of(std::int32_t schema_id) const noexcept;
  [[nodiscard]] Place place_of(std::span<const std::uint8_t> value) const noexcept;
  [[nodiscard]] bool send(const Place& place, std::string_view key, std::span<const std::uint8_t> value, void* tag);
  void refuse(RdKafka::ErrorCode code, void* tag);
  void was_delivered(void* tag) noexcept;

  std::unique_ptr<RdKafka::Producer> producer_;  // before the topics, whose handles must go first
  Topic trades_;
  Topic gaps_;
  Topic quotes_;
  Topic candles_;
  SchemaIds schema_ids_;
  std::string brokers_;
  KafkaMetrics& metrics_;
  std::function<void()> on_fatal_;
  std::vector<Session> sessions_;
  bool has_partitions_ = false;       // of all topics
  std::int64_t ask_again_at_ns_ = 0;  // by steady time
  bool is_away_ = false;
  RdKafka::ErrorCode last_refusal_ = RdKafka::ERR_NO_ERROR;
};

}  // namespace livetape::bridge
