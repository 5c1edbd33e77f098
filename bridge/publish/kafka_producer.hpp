#pragma once

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/metrics.hpp"
#include "publish/delivery_window.hpp"
#include "publish/spooled_message.hpp"

namespace livetape::bridge {

/// Writes sessions' messages, in the order that they came: a trade to its key's partition of `trades`, a gap to `gaps`,
/// a quote to `quotes`, a candle to `candles`, and a clock to each partition of `trades`, and of `quotes` where the
/// venue has those. Idempotent and acknowledged by all replicas, so that librdkafka's own retries neither lose nor
/// reorder. What is under way is bounded; whoever produces keeps the rest. For one thread alone.
class KafkaProducer {
 public:
  /// Asks the brokers for the topics; when they do not answer yet it says so, and `poll` asks again. `on_fatal` is
  /// called by `poll` when the producer can write no more and only a new process helps.
  /// Throws std::runtime_error for a setting that librdkafka refuses, or a topic that the brokers do not have, or
  /// keep from us.
  KafkaProducer(const Config& config, KafkaMetrics& metrics, std::function<void()> on_fatal);
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  /// Begins a session of a venue; its number for the other calls.
  [[nodiscard]] std::size_t add_session(bool has_quotes);
  /// Takes messages of a session, whose numbers rise, in their order; how many of them: there is no room for the others
  /// now. Their bytes may go when it returns.
  [[nodiscard]] std::size_t produce(std::size_t number, std::span<const SpooledMessage> messages);
  /// Whether records of a schema are known to be ours. What is not goes to `trades`: nobody can read it as long as the
  /// registry does not have its schema, and the workers tell of it.
  [[nodiscard]] bool knows(std::int32_t schema_id) const noexcept {
    return std::ranges::find(topics_by_schema_, schema_id, &SchemaTopic::first) != topics_by_schema_.end();
  }
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
  struct DestroyTopic {
    void operator()(rd_kafka_topic_t* topic) const noexcept { rd_kafka_topic_destroy(topic); }
  };
  struct DestroyProducer {
    void operator()(rd_kafka_t* producer) const noexcept { rd_kafka_destroy(producer); }
  };
  struct Topic {
    std::string name;
    std::unique_ptr<rd_kafka_topic_t, DestroyTopic> handle{};
    std::int32_t partitions = 0;
  };
  using SchemaTopic = std::pair<std::int32_t, const Topic*>;
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

  static void on_delivery(rd_kafka_t* producer, const rd_kafka_message_t* message, void* self);
  static void on_error(rd_kafka_t* producer, int code, const char* reason, void* self);
  [[nodiscard]] std::array<Topic*, 4> topics() noexcept { return {&trades_, &gaps_, &quotes_, &candles_}; }
  [[nodiscard]] std::string setting(std::string_view name) const;
  void make_producer();
  void note_schemas(const Config& config);
  [[nodiscard]] bool find_partitions(int timeout_ms);
  [[nodiscard]] bool find_partitions(Topic& topic, int timeout_ms);
  void fit_batches(int timeout_ms);
  void ask_again();
  [[nodiscard]] std::int32_t copies_of(const Session& session, std::string_view key) const noexcept;
  [[nodiscard]] bool is_out(const Session& session, const SpooledMessage& message) const noexcept;
  [[nodiscard]] Place place_of_clock(std::int32_t copy) const noexcept;
  [[nodiscard]] const Topic& topic_of(std::int32_t schema_id) const noexcept;
  [[nodiscard]] Place place_of(const SpooledMessage& message, std::int32_t copy) const noexcept;
  [[nodiscard]] const Topic* stage(std::size_t number, std::span<const SpooledMessage> messages);
  [[nodiscard]] bool send(std::size_t number, const Topic& topic);
  void was_sent(std::size_t number, const rd_kafka_message_t& copy);
  void lose(const rd_kafka_message_t& copy);
  void fail(rd_kafka_resp_err_t code);
  void was_delivered(void* tag) noexcept;
  void hear_of(const rd_kafka_message_t& message);
  void hear_of(rd_kafka_resp_err_t error, const char* reason, bool is_fatal);

  std::unique_ptr<rd_kafka_t, DestroyProducer> producer_;  // before the topics, whose handles must go first
  Topic trades_;
  Topic gaps_;
  Topic quotes_;
  Topic candles_;
  std::vector<SchemaTopic> topics_by_schema_;                  // of all versions, those that are written first
  std::vector<std::pair<std::string, std::string>> settings_;  // librdkafka's
  KafkaMetrics& metrics_;
  std::function<void()> on_fatal_;
  std::vector<Session> sessions_;
  bool has_partitions_ = false;       // of all topics
  std::int64_t ask_again_at_ns_ = 0;  // by steady time
  bool is_away_ = false;
  rd_kafka_resp_err_t last_refusal_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_resp_err_t last_failure_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::vector<rd_kafka_message_t> staged_;  // copies that go to one topic in one call
};

}  // namespace livetape::bridge
