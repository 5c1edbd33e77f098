#include "publish/kafka_publisher.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "core/log.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

constexpr int kMetadataTimeoutMs = 2'000;
constexpr int kMetadataAttempts = 15;
constexpr std::int64_t kStopTimeoutNs = 8'000'000'000;
constexpr std::uint64_t kPollEvery = 64;

void set(RdKafka::Conf& conf, const std::string& name, const std::string& value) {
  std::string error;
  if (conf.set(name, value, error) != RdKafka::Conf::CONF_OK) throw std::runtime_error("Kafka setting: " + error);
}

std::string setting(const Config& config, std::string_view name) {
  const auto found = std::ranges::find(config.kafka, name, &std::pair<std::string, std::string>::first);
  return found == config.kafka.end() ? std::string() : found->second;
}

/// Asks until the brokers answer, or for half a minute: servers that start together need not wait for one another.
std::unique_ptr<RdKafka::Metadata> ask_for_metadata(RdKafka::Producer& producer, const RdKafka::Topic& topic,
                                                    const std::string& brokers) {
  RdKafka::ErrorCode code = RdKafka::ERR_NO_ERROR;
  for (int attempt = 1; attempt <= kMetadataAttempts; ++attempt) {
    RdKafka::Metadata* metadata = nullptr;
    code = producer.metadata(false, &topic, &metadata, kMetadataTimeoutMs);
    if (code == RdKafka::ERR_NO_ERROR) return std::unique_ptr<RdKafka::Metadata>(metadata);
    if (attempt == 1) log("Kafka", "waiting for the brokers at " + brokers);
  }
  throw std::runtime_error("Kafka at " + brokers + " does not answer: " + RdKafka::err2str(code) +
                           ". Is it running (`livetape status`), and is LIVETAPE_KAFKA_BOOTSTRAP right?");
}

}  // namespace

KafkaPublisher::KafkaPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics,
                               std::function<void()> on_fatal)
    : topic_(config.topic), metrics_(metrics), on_fatal_(std::move(on_fatal)) {
  for (const MessageSource& source : sources) {
    encoders_.emplace_back(source.instruments, as_hex(source.session), config.trade_schema_id, config.clock_schema_id);
    rings_.push_back(source.kafka);
  }
  make_producer(config);
  find_partitions(setting(config, "bootstrap.servers"));
}

KafkaPublisher::~KafkaPublisher() { stop(); }

void KafkaPublisher::make_producer(const Config& config) {
  const std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  set(*conf, "enable.idempotence", "true");
  set(*conf, "acks", "all");
  set(*conf, "partitioner", "murmur2_random");  // as every other producer of the topic: equal keys, equal partition
  set(*conf, "compression.codec", "lz4");
  // Each request costs broker, fold and sink about as much as a hundred trades do, and 5 ms are a tenth of what the
  // standard flow may take to the chart.
  set(*conf, "linger.ms", "5");
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

void KafkaPublisher::find_partitions(const std::string& brokers) {
  std::string error;
  // The first handle of a topic settles its partitioner and time-outs: no settings of its own, so it has the
  // producer's.
  const std::unique_ptr<RdKafka::Topic> topic(RdKafka::Topic::create(producer_.get(), topic_, nullptr, error));
  if (!topic) throw std::runtime_error("Kafka topic " + topic_ + ": " + error);
  const std::unique_ptr<RdKafka::Metadata> metadata = ask_for_metadata(*producer_, *topic, brokers);
  for (const auto* each : *metadata->topics()) {
    if (each->topic() == topic_) partitions_ = static_cast<std::int32_t>(each->partitions()->size());
  }
  if (partitions_ == 0) throw std::runtime_error("Kafka has no topic " + topic_ + ": run `livetape topics apply`");
}

void KafkaPublisher::start() {
  thread_ = std::make_unique<PublisherThread>(
      "kafka", rings_, [this](std::size_t ring, const Message& message) { take(ring, message); },
      [this] { producer_->poll(0); });
}

bool KafkaPublisher::stop() {
  if (!thread_) return true;
  const std::int64_t give_up_at_ns = steady_now_ns() + kStopTimeoutNs;
  give_up_at_ns_ = give_up_at_ns;
  thread_->stop();
  thread_.reset();
  const std::int64_t left_ms = (give_up_at_ns - steady_now_ns()) / 1'000'000;
  producer_->flush(static_cast<int>(std::max<std::int64_t>(left_ms, 0)));
  const std::uint64_t lost = static_cast<std::uint64_t>(producer_->outq_len()) + metrics_.kafka_failed;
  if (lost > 0) log("Kafka", std::to_string(lost) + " records were not delivered before the end");
  return lost == 0;
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
  RdKafka::ErrorCode code = RdKafka::ERR_NO_ERROR;
  for (;;) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): librdkafka copies, it only lacks the const
    auto* const bytes = const_cast<std::uint8_t*>(value.data());
    code = producer_->produce(topic_, partition, RdKafka::Producer::RK_MSG_COPY, bytes, value.size(), key.data(),
                              key.size(), 0, nullptr);
    if (code != RdKafka::ERR__QUEUE_FULL || steady_now_ns() >= give_up_at_ns_) break;
    ++metrics_.kafka_queue_full;
    producer_->poll(kWaitMs);
  }
  if (code == RdKafka::ERR_NO_ERROR) {
    ++metrics_.kafka_produced;
  } else {
    refuse(code);
  }
}

/// Counts a record that is lost, and says why once for many of a kind.
void KafkaPublisher::refuse(RdKafka::ErrorCode code) {
  ++metrics_.kafka_failed;
  if (code == last_refusal_) return;
  last_refusal_ = code;
  log("Kafka", "a record was refused: " + RdKafka::err2str(code));
}

void KafkaPublisher::dr_cb(RdKafka::Message& message) {
  if (message.err() != RdKafka::ERR_NO_ERROR) return refuse(message.err());
  ++metrics_.kafka_delivered;
  last_refusal_ = RdKafka::ERR_NO_ERROR;
  if (!is_away_) return;
  is_away_ = false;
  log("Kafka", "the brokers are back; what waited is going out");
}

void KafkaPublisher::event_cb(RdKafka::Event& event) {
  if (event.type() == RdKafka::Event::EVENT_LOG) return log("Kafka", event.str());
  if (event.type() != RdKafka::Event::EVENT_ERROR) return;
  log("Kafka", event.str());
  if (event.fatal()) return on_fatal_();
  if (event.err() != RdKafka::ERR__ALL_BROKERS_DOWN || is_away_) return;
  is_away_ = true;
  log("Kafka", "the brokers are away: records wait in memory, and go out in order when they are back");
}

}  // namespace livetape::bridge
