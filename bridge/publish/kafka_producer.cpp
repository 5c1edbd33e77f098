#include "publish/kafka_producer.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "core/big_endian.hpp"
#include "core/log.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

constexpr int kFirstAskMs = 2'000;
constexpr int kAskMs = 200;
constexpr std::int64_t kAskEveryNs = 1'000'000'000;
constexpr std::size_t kUnderWay = std::size_t{1} << 16;  // messages of a session
constexpr int kSequenceBits = 48;
constexpr std::uint64_t kSequenceMask = (std::uint64_t{1} << kSequenceBits) - 1;

void set(RdKafka::Conf& conf, const std::string& name, const std::string& value) {
  std::string error;
  if (conf.set(name, value, error) != RdKafka::Conf::CONF_OK) throw std::runtime_error("Kafka setting: " + error);
}

std::string setting(const Config& config, std::string_view name) {
  const auto found = std::ranges::find(config.kafka, name, &std::pair<std::string, std::string>::first);
  return found == config.kafka.end() ? std::string() : found->second;
}

/// The id in a record's wire header; 0, which no schema has, where there is none.
std::int32_t schema_id_in(std::span<const std::uint8_t> value) noexcept {
  constexpr std::size_t kMagicBytes = 1;
  if (value.size() < kMagicBytes + sizeof(std::uint32_t)) return 0;
  return static_cast<std::int32_t>(get_big_endian<std::uint32_t>(value.data() + kMagicBytes));
}

/// How many copies a session's window can count.
constexpr std::int32_t kMostCopies = 255;

/// Rides through librdkafka with a record, instead of a pointer: its session's number and its own.
void* tag_of(std::size_t session, std::uint64_t sequence) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): it is never followed
  return reinterpret_cast<void*>(std::uint64_t{session} << kSequenceBits | sequence);
}

/// Whether the brokers will never take a record, whenever it is sent.
bool is_for_good(RdKafka::ErrorCode code) {
  return code == RdKafka::ERR_MSG_SIZE_TOO_LARGE || code == RdKafka::ERR_INVALID_MSG ||
         code == RdKafka::ERR_INVALID_MSG_SIZE || code == RdKafka::ERR_INVALID_RECORD;
}

}  // namespace

KafkaProducer::KafkaProducer(const Config& config, KafkaMetrics& metrics, std::function<void()> on_fatal)
    : trades_{config.trades_topic},
      gaps_{config.gaps_topic},
      quotes_{config.quotes_topic},
      candles_{config.candles_topic},
      schema_ids_(config.schema_ids),
      brokers_(setting(config, "bootstrap.servers")),
      metrics_(metrics),
      on_fatal_(std::move(on_fatal)) {
  make_producer(config);
  if (find_partitions(kFirstAskMs)) return;
  log("Kafka", "waiting for the brokers at " + brokers_ + "; messages wait meanwhile, and go out in order");
}

/// What is under way is given up at once: whoever handed it over has it.
KafkaProducer::~KafkaProducer() {
  producer_->purge(RdKafka::Producer::PURGE_QUEUE | RdKafka::Producer::PURGE_INFLIGHT |
                   RdKafka::Producer::PURGE_NON_BLOCKING);
}

void KafkaProducer::make_producer(const Config& config) {
  const std::unique_ptr<RdKafka::Conf> conf(RdKafka::Conf::create(RdKafka::Conf::CONF_GLOBAL));
  set(*conf, "enable.idempotence", "true");
  set(*conf, "acks", "all");
  set(*conf, "partitioner", "murmur2_random");  // as every other producer of the topic: equal keys, equal partition
  set(*conf, "compression.codec", "lz4");
  // Each request costs broker, fold and sink about as much as a hundred trades do, and 5 ms are a tenth of what the
  // standard flow may take to the chart.
  set(*conf, "linger.ms", "5");
  set(*conf, "message.timeout.ms", "0");                   // a trade is never given up
  set(*conf, "queue.buffering.max.messages", "10000000");  // the sessions' windows bound it
  set(*conf, "queue.buffering.max.kbytes", "2000000");
  for (const auto& [name, value] : config.kafka) set(*conf, name, value);
  std::string error;
  if (conf->set("dr_cb", static_cast<RdKafka::DeliveryReportCb*>(this), error) != RdKafka::Conf::CONF_OK ||
      conf->set("event_cb", static_cast<RdKafka::EventCb*>(this), error) != RdKafka::Conf::CONF_OK) {
    throw std::runtime_error("Kafka setting: " + error);
  }
  producer_.reset(RdKafka::Producer::create(conf.get(), error));
  if (!producer_) throw std::runtime_error("Kafka producer: " + error);
  // The first handle of a topic settles its partitioner and time-outs: no settings of its own, so it has the
  // producer's.
  for (Topic* topic : {&trades_, &gaps_, &quotes_, &candles_}) {
    topic->handle.reset(RdKafka::Topic::create(producer_.get(), topic->name, nullptr, error));
    if (!topic->handle) throw std::runtime_error("Kafka topic " + topic->name + ": " + error);
  }
}

/// False when the brokers did not answer.
bool KafkaProducer::find_partitions(int timeout_ms) {
  for (Topic* topic : {&trades_, &gaps_, &quotes_, &candles_}) {
    if (topic->partitions == 0 && !find_partitions(*topic, timeout_ms)) return false;
  }
  if (trades_.partitions + quotes_.partitions > kMostCopies) {
    throw std::runtime_error("a clock cannot be written to more than 255 partitions: " + trades_.name + " and " +
                             quotes_.name + " have more");
  }
  has_partitions_ = true;
  return true;
}

bool KafkaProducer::find_partitions(Topic& topic, int timeout_ms) {
  RdKafka::Metadata* answer = nullptr;
  const RdKafka::ErrorCode code = producer_->metadata(false, topic.handle.get(), &answer, timeout_ms);
  const std::unique_ptr<RdKafka::Metadata> metadata(answer);
  ask_again_at_ns_ = steady_now_ns() + kAskEveryNs;
  if (code != RdKafka::ERR_NO_ERROR) return false;
  for (const auto* each : *metadata->topics()) {
    if (each->topic() == topic.name) topic.partitions = static_cast<std::int32_t>(each->partitions()->size());
  }
  if (topic.partitions == 0) {
    throw std::runtime_error("Kafka has no topic " + topic.name + ": run `livetape topics apply`");
  }
  return true;
}

void KafkaProducer::ask_again() {
  try {
    if (find_partitions(kAskMs)) log("Kafka", "the brokers are there");
  } catch (const std::runtime_error& error) {
    log("Kafka", error.what());
    on_fatal_();
  }
}

std::size_t KafkaProducer::add_session(bool has_quotes) {
  sessions_.push_back({DeliveryWindow(kUnderWay), has_quotes});
  return sessions_.size() - 1;
}

std::int32_t KafkaProducer::clock_copies(const Session& session) const noexcept {
  return trades_.partitions + (session.has_quotes ? quotes_.partitions : 0);
}

KafkaProducer::Place KafkaProducer::place_of_clock(std::int32_t copy) const noexcept {
  if (copy < trades_.partitions) return {trades_, copy};
  return {quotes_, copy - trades_.partitions};
}

/// A trade that an earlier run left on disk may be of an older schema, whose id is not known here.
const KafkaProducer::Topic& KafkaProducer::topic_of(std::int32_t schema_id) const noexcept {
  if (schema_id == schema_ids_.gap) return gaps_;
  if (schema_id == schema_ids_.quote) return quotes_;
  if (schema_id == schema_ids_.candle) return candles_;
  return trades_;
}

KafkaProducer::Place KafkaProducer::place_of(std::span<const std::uint8_t> value) const noexcept {
  return {topic_of(schema_id_in(value)), RdKafka::Topic::PARTITION_UA};
}

/// A message that librdkafka took in part goes on with the copies that are left.
bool KafkaProducer::produce(std::size_t number, std::uint64_t sequence, std::string_view key,
                            std::span<const std::uint8_t> value) {
  Session& session = sessions_[number];
  if (!has_room(number, sequence)) return false;
  const bool is_clock = key.find(':') == std::string_view::npos;
  const std::int32_t copies = is_clock ? clock_copies(session) : 1;
  if (session.begun != sequence) {
    session.begun = sequence;
    session.copies_out = 0;
    session.window.sent(sequence, static_cast<std::uint8_t>(copies));
  }
  for (std::int32_t& copy = session.copies_out; copy < copies; ++copy) {
    const Place place = is_clock ? place_of_clock(copy) : place_of(value);
    if (!send(place, key, value, tag_of(number, sequence))) return false;
  }
  return true;
}

/// False while librdkafka's queue is full.
bool KafkaProducer::send(const Place& place, std::string_view key, std::span<const std::uint8_t> value, void* tag) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): librdkafka copies, it only lacks the const
  auto* const bytes = const_cast<std::uint8_t*>(value.data());
  const RdKafka::ErrorCode code =
      producer_->produce(place.topic.handle.get(), place.partition, RdKafka::Producer::RK_MSG_COPY, bytes, value.size(),
                         key.data(), key.size(), tag);
  if (code == RdKafka::ERR__QUEUE_FULL) {
    ++metrics_.queue_full;
    return false;
  }
  if (code == RdKafka::ERR_NO_ERROR) {
    ++metrics_.produced;
  } else {
    refuse(code, tag);
  }
  return true;
}

void KafkaProducer::poll() {
  if (!has_partitions_ && steady_now_ns() >= ask_again_at_ns_) ask_again();
  producer_->poll(0);
}

void KafkaProducer::flush(std::int64_t give_up_at_ns) {
  constexpr int kPollMs = 50;
  while (producer_->outq_len() > 0 && !is_away_ && steady_now_ns() < give_up_at_ns) producer_->poll(kPollMs);
}

/// A record that will never be taken is lost, and told. Any other failure would break the order of those behind it: a
/// new producer begins with what is not confirmed.
void KafkaProducer::refuse(RdKafka::ErrorCode code, void* tag) {
  if (is_for_good(code)) {
    ++metrics_.failed;
    was_delivered(tag);
  }
  if (code == last_refusal_) return;
  last_refusal_ = code;
  log("Kafka", "a record was refused: " + RdKafka::err2str(code));
  if (!is_for_good(code)) on_fatal_();
}

void KafkaProducer::was_delivered(void* tag) noexcept {
  const auto bits = reinterpret_cast<std::uintptr_t>(tag);
  sessions_[bits >> kSequenceBits].window.delivered(bits & kSequenceMask);
}

void KafkaProducer::dr_cb(RdKafka::Message& message) {
  if (message.err() != RdKafka::ERR_NO_ERROR) return refuse(message.err(), message.msg_opaque());
  was_delivered(message.msg_opaque());
  ++metrics_.delivered;
  last_refusal_ = RdKafka::ERR_NO_ERROR;
  if (!is_away_) return;
  is_away_ = false;
  log("Kafka", "the brokers are back; what waited is going out");
}

void KafkaProducer::event_cb(RdKafka::Event& event) {
  if (event.type() == RdKafka::Event::EVENT_LOG) return log("Kafka", event.str());
  if (event.type() != RdKafka::Event::EVENT_ERROR) return;
  log("Kafka", event.str());
  if (event.fatal()) return on_fatal_();
  if (event.err() != RdKafka::ERR__ALL_BROKERS_DOWN || is_away_) return;
  is_away_ = true;
  log("Kafka", "the brokers are away: messages wait, and go out in order when they are back");
}

}  // namespace livetape::bridge
