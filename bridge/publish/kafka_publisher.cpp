#include "publish/kafka_publisher.hpp"

#include <iostream>
#include <stdexcept>

namespace livetape::bridge {
namespace {

constexpr int kMetadataTimeoutMs = 30'000;
constexpr int kFlushTimeoutMs = 10'000;
constexpr std::uint64_t kPollEvery = 64;

void set(RdKafka::Conf& conf, const std::string& name, const std::string& value) {
  std::string error;
  if (conf.set(name, value, error) != RdKafka::Conf::CONF_OK) throw std::runtime_error("Kafka setting: " + error);
}

}  // namespace

KafkaPublisher::KafkaPublisher(const Config& config, const std::vector<std::unique_ptr<VenueThread>>& venues,
                               Metrics& metrics)
    : topic_(config.topic), metrics_(metrics) {
  for (const auto& venue : venues) {
    encoders_.emplace_back(venue->venue_name(), venue->instruments(), as_hex(venue->session_id()),
                           config.trade_schema_id, config.clock_schema_id);
    rings_.push_back(&venue->kafka_ring());
  }
  make_producer(config);
  find_partitions();
}

KafkaPublisher::~KafkaPublisher() { stop(); }

void KafkaPublisher::make_producer(const Config& config) {
  const std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  set(*conf, "enable.idempotence", "true");
  set(*conf, "acks", "all");
  set(*conf, "partitioner", "murmur2_random");  // as every other producer of the topic: equal keys, equal partition
  set(*conf, "compression.codec", "lz4");
  set(*conf, "linger.ms", "1");  // latency goes before batch size; under load the queue makes batches by itself
  set(*conf, "message.timeout.ms", "0");  // a trade is never given up
  set(*conf, "queue.buffering.max.messages", "2000000");
  set(*conf, "queue.buffering.max.kbytes", "1048576");
  for (const auto& [name, value] : config.kafka) set(*conf, name, value);
  std::string error;
  if (conf->set("dr_cb", static_cast<RdKafka::DeliveryReportCb*>(this), error) != RdKafka::Conf::CONF_OK ||
      conf->set("event_cb", static_cast<RdKafka::EventCb*>(this), error) != RdKafka::Conf::CONF_OK) {
    throw std::runtime_error("Kafka setting: " + error);
  }
  producer_.reset(RdKafka::Producer::create(conf.get(), error));
  if (!producer_) throw std::runtime_error("Kafka producer: " + error);
}

void KafkaPublisher::find_partitions() {
  std::string error;
  // The first handle of a topic settles its partitioner and time-outs: no settings of its own, so it has the
  // producer's.
  const std::unique_ptr<RdKafka::Topic> topic(RdKafka::Topic::create(producer_.get(), topic_, nullptr, error));
  if (!topic) throw std::runtime_error("Kafka topic " + topic_ + ": " + error);
  RdKafka::Metadata* raw = nullptr;
  const RdKafka::ErrorCode code = producer_->metadata(false, topic.get(), &raw, kMetadataTimeoutMs);
  const std::unique_ptr<RdKafka::Metadata> metadata(raw);
  if (code != RdKafka::ERR_NO_ERROR) throw std::runtime_error("Kafka: " + RdKafka::err2str(code));
  for (const auto* each : *metadata->topics()) {
    if (each->topic() == topic_) partitions_ = static_cast<std::int32_t>(each->partitions()->size());
  }
  if (partitions_ == 0) throw std::runtime_error("Kafka has no topic " + topic_ + ": run `livetape topics apply`");
}

void KafkaPublisher::start() {
  thread_ = std::make_unique<PublisherThread>(
      rings_, [this](std::size_t ring, const Message& message) { take(ring, message); });
}

void KafkaPublisher::stop() {
  if (!thread_) return;
  thread_->stop();
  thread_.reset();
  if (producer_->flush(kFlushTimeoutMs) != RdKafka::ERR_NO_ERROR) {
    std::cerr << "Kafka: " << producer_->outq_len() << " records were not delivered before the end\n";
  }
}

void KafkaPublisher::take(std::size_t ring, const Message& message) {
  RecordEncoder& encoder = encoders_[ring];
  const auto value = encoder.encode(message);
  const auto key = encoder.key(message);
  if (message.kind == Message::Kind::trade) {
    produce(key, value, RdKafka::Topic::PARTITION_UA);
  } else {
    for (std::int32_t partition = 0; partition < partitions_; ++partition) produce(key, value, partition);
  }
  if (++since_poll_ % kPollEvery == 0) producer_->poll(0);
}

/// Waits while the producer's queue is full: the ring behind it fills, and ZeroMQ has a ring of its own.
void KafkaPublisher::produce(std::string_view key, std::span<const std::uint8_t> value, std::int32_t partition) {
  constexpr int kWaitMs = 100;
  for (;;) {
    const RdKafka::ErrorCode code = producer_->produce(
        topic_, partition, RdKafka::Producer::RK_MSG_COPY, const_cast<std::uint8_t*>(value.data()), value.size(),
        key.data(), key.size(), 0, nullptr);  // librdkafka copies: it only lacks the const
    if (code == RdKafka::ERR_NO_ERROR) break;
    if (code != RdKafka::ERR__QUEUE_FULL) {
      ++metrics_.kafka_failed;
      std::cerr << "Kafka: a record could not be produced: " << RdKafka::err2str(code) << '\n';
      return;
    }
    ++metrics_.kafka_queue_full;
    producer_->poll(kWaitMs);
  }
  ++metrics_.kafka_produced;
}

void KafkaPublisher::dr_cb(RdKafka::Message& message) {
  if (message.err() == RdKafka::ERR_NO_ERROR) {
    ++metrics_.kafka_delivered;
  } else {
    ++metrics_.kafka_failed;
    std::cerr << "Kafka: a record was refused: " << message.errstr() << '\n';
  }
}

void KafkaPublisher::event_cb(RdKafka::Event& event) {
  if (event.type() == RdKafka::Event::EVENT_ERROR || event.type() == RdKafka::Event::EVENT_LOG) {
    std::cerr << "Kafka: " << event.str() << '\n';
  }
}

}  // namespace livetape::bridge
