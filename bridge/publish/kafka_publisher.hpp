#pragma once

#include <librdkafka/rdkafkacpp.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "publish/publisher_thread.hpp"
#include "publish/record.hpp"

namespace livetape::bridge {

/// Writes every message to `trades`: a trade to its key's partition, a clock to each partition, in the order that they
/// came. Idempotent and acknowledged by all replicas, so that librdkafka's own retries neither lose nor reorder.
class KafkaPublisher final : RdKafka::DeliveryReportCb, RdKafka::EventCb {
 public:
  /// Waits until the topic's partitions are known. `on_fatal` is called, from the publisher's thread, when the producer
  /// can write no more and only a new process helps.
  /// Throws std::runtime_error for a setting that librdkafka refuses, brokers that do not answer, or a topic that does
  /// not exist.
  KafkaPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics,
                 std::function<void()> on_fatal);
  ~KafkaPublisher() override;
  KafkaPublisher(const KafkaPublisher&) = delete;
  KafkaPublisher& operator=(const KafkaPublisher&) = delete;

  void start();
  /// Publishes what is in the rings and waits until the brokers have it, for eight seconds at most: whoever ends a
  /// process gives it about ten. False when something was lost.
  bool stop();

 private:
  void dr_cb(RdKafka::Message& message) override;
  void event_cb(RdKafka::Event& event) override;
  void make_producer(const Config& config);
  void find_partitions(const std::string& brokers);
  void take(std::size_t ring, const Message& message);
  void produce(std::string_view key, std::span<const std::uint8_t> value, std::int32_t partition);
  void refuse(RdKafka::ErrorCode code);

  std::string topic_;
  Metrics& metrics_;
  std::vector<RecordEncoder> encoders_;
  std::vector<MessageRing*> rings_;
  std::unique_ptr<RdKafka::Producer> producer_;
  std::int32_t partitions_ = 0;
  std::uint64_t since_poll_ = 0;
  std::function<void()> on_fatal_;
  bool is_away_ = false;
  RdKafka::ErrorCode last_refusal_ = RdKafka::ERR_NO_ERROR;
  std::atomic<std::int64_t> give_up_at_ns_{std::numeric_limits<std::int64_t>::max()};  // by steady time
  std::unique_ptr<PublisherThread> thread_;
};

}  // namespace livetape::bridge
