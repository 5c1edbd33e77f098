#include "publish/kafka_producer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

#include "core/log.hpp"
#include "core/schema_ids.hpp"
#include "core/time.hpp"
#include "publish/batch_limit.hpp"

namespace livetape::bridge {
namespace {

constexpr int kFirstAskMs = 2'000;
constexpr int kAskMs = 200;
constexpr std::int64_t kAskEveryNs = 1'000'000'000;
constexpr std::size_t kUnderWay = std::size_t{1} << 16;  // messages of a session
constexpr int kSequenceBits = 48;
constexpr std::uint64_t kSequenceMask = (std::uint64_t{1} << kSequenceBits) - 1;

/// Room for a reason that librdkafka writes.
using Reason = std::array<char, 512>;

struct DestroyConf {
  void operator()(rd_kafka_conf_t* conf) const noexcept { rd_kafka_conf_destroy(conf); }
};

struct DestroyMetadata {
  void operator()(const rd_kafka_metadata_t* metadata) const noexcept { rd_kafka_metadata_destroy(metadata); }
};

void set(rd_kafka_conf_t& conf, const std::string& name, const std::string& value) {
  Reason reason{};
  if (rd_kafka_conf_set(&conf, name.c_str(), value.c_str(), reason.data(), reason.size()) != RD_KAFKA_CONF_OK) {
    throw std::runtime_error("Kafka setting: " + std::string(reason.data()));
  }
}

std::uint32_t batch_size_of(rd_kafka_t& producer) {
  Reason text{};
  std::size_t size = text.size();
  (void)rd_kafka_conf_get(rd_kafka_conf(&producer), "batch.size", text.data(), &size);
  std::uint32_t bytes = 0;
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes;
}

/// A clock's key is its venue's name, all others are of an instrument.
bool is_clock(std::string_view key) noexcept { return key.find(':') == std::string_view::npos; }

std::string_view key_of(const rd_kafka_message_t& message) noexcept {
  return {static_cast<const char*>(message.key), message.key_len};
}

/// How many copies a session's window can count.
constexpr std::int32_t kMostCopies = 255;

/// Messages that one call gives to librdkafka, at most.
constexpr std::size_t kMostStaged = 256;

/// Rides through librdkafka with a record, instead of a pointer: its session's number and its own.
void* tag_of(std::size_t session, std::uint64_t sequence) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): it is never followed
  return reinterpret_cast<void*>(std::uint64_t{session} << kSequenceBits | sequence);
}

std::size_t session_in(const void* tag) noexcept { return reinterpret_cast<std::uintptr_t>(tag) >> kSequenceBits; }

std::uint64_t sequence_in(const void* tag) noexcept { return reinterpret_cast<std::uintptr_t>(tag) & kSequenceMask; }

/// librdkafka copies what is given to it, it only lacks the const.
void* without_const(const void* bytes) noexcept {
  return const_cast<void*>(bytes);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

/// A copy of a message as librdkafka takes it.
rd_kafka_message_t to_produce(const SpooledMessage& message, std::int32_t partition, void* tag) noexcept {
  rd_kafka_message_t copy{};
  copy.partition = partition;
  copy.payload = without_const(message.value.data());
  copy.len = message.value.size();
  copy.key = without_const(message.key.data());
  copy.key_len = message.key.size();
  copy._private = tag;
  return copy;
}

/// Whether brokers that tell this of a topic may tell more of it soon.
bool is_for_a_while(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT ||
         code == RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE || code == RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION;
}

void on_log(const rd_kafka_t* /*producer*/, int /*level*/, const char* /*facility*/, const char* text) {
  log("Kafka", text);
}

}  // namespace

KafkaProducer::KafkaProducer(const Config& config, KafkaMetrics& metrics, std::function<void()> on_fatal)
    : trades_{config.trades_topic},
      gaps_{config.gaps_topic},
      quotes_{config.quotes_topic},
      candles_{config.candles_topic},
      settings_(config.kafka),
      metrics_(metrics),
      on_fatal_(std::move(on_fatal)) {
  note_schemas(config);
  make_producer();
  if (find_partitions(kFirstAskMs)) return;
  log("Kafka",
      "waiting for the brokers at " + setting("bootstrap.servers") + "; messages wait meanwhile, and go out in order");
}

/// What is under way is given up at once: whoever handed it over has it.
KafkaProducer::~KafkaProducer() {
  rd_kafka_purge(producer_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

std::string KafkaProducer::setting(std::string_view name) const {
  const auto found = std::ranges::find(settings_, name, &std::pair<std::string, std::string>::first);
  return found == settings_.end() ? std::string() : found->second;
}

void KafkaProducer::make_producer() {
  std::unique_ptr<rd_kafka_conf_t, DestroyConf> conf(rd_kafka_conf_new());
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
  for (const auto& [name, value] : settings_) set(*conf, name, value);
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  Reason reason{};
  std::unique_ptr<rd_kafka_t, DestroyProducer> made(
      rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size()));
  if (!made) throw std::runtime_error("Kafka producer: " + std::string(reason.data()));
  (void)conf.release();                                 // the producer has it now
  for (Topic* topic : topics()) topic->handle.reset();  // before the producer they are of
  producer_ = std::move(made);
  // The first handle of a topic settles its partitioner and time-outs: no settings of its own, so it has the
  // producer's.
  for (Topic* topic : topics()) {
    topic->handle.reset(rd_kafka_topic_new(producer_.get(), topic->name.c_str(), nullptr));
    if (!topic->handle) {
      throw std::runtime_error("Kafka topic " + topic->name + ": " + rd_kafka_err2str(rd_kafka_last_error()));
    }
  }
}

void KafkaProducer::note_schemas(const Config& config) {
  const auto& [trade, clock, gap, quote, candle] = config.schema_ids;
  topics_by_schema_ = {{trade, &trades_}, {quote, &quotes_}, {clock, &trades_}, {gap, &gaps_}, {candle, &candles_}};
  const auto note = [this](const std::vector<std::int32_t>& ids, const Topic& topic) {
    for (const std::int32_t id : ids) topics_by_schema_.emplace_back(id, &topic);
  };
  note(config.other_schema_ids.trade, trades_);
  note(config.other_schema_ids.clock, trades_);
  note(config.other_schema_ids.gap, gaps_);
  note(config.other_schema_ids.quote, quotes_);
  note(config.other_schema_ids.candle, candles_);
}

/// False when the brokers did not answer, or cannot tell yet.
bool KafkaProducer::find_partitions(int timeout_ms) {
  for (Topic* topic : topics()) {
    if (topic->partitions == 0 && !find_partitions(*topic, timeout_ms)) return false;
  }
  if (trades_.partitions + quotes_.partitions > kMostCopies) {
    throw std::runtime_error("a clock cannot be written to more than 255 partitions: " + trades_.name + " and " +
                             quotes_.name + " have more");
  }
  fit_batches(timeout_ms);
  has_partitions_ = true;
  return true;
}

/// A broker refuses a batch that is larger than its topic takes, whatever its records are: ours are to be smaller from
/// the first on. Of a producer that is there the size cannot be changed, so it is made anew; nothing is under way yet.
void KafkaProducer::fit_batches(int timeout_ms) {
  const std::array names{trades_.name, gaps_.name, quotes_.name, candles_.name};
  const auto limit = largest_batch(*producer_, names, timeout_ms);
  if (!limit || *limit == 0 || *limit >= batch_size_of(*producer_)) return;
  log("Kafka", "batches have " + std::to_string(*limit) + " bytes at most: max.message.bytes of a topic");
  settings_.emplace_back("batch.size", std::to_string(*limit));  // the last one counts
  make_producer();
}

bool KafkaProducer::find_partitions(Topic& topic, int timeout_ms) {
  const rd_kafka_metadata_t* answer = nullptr;
  const rd_kafka_resp_err_t code = rd_kafka_metadata(producer_.get(), 0, topic.handle.get(), &answer, timeout_ms);
  const std::unique_ptr<const rd_kafka_metadata_t, DestroyMetadata> metadata(answer);
  ask_again_at_ns_ = steady_now_ns() + kAskEveryNs;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  for (const auto& each : std::span(metadata->topics, static_cast<std::size_t>(metadata->topic_cnt))) {
    if (each.topic != topic.name) continue;
    if (is_for_a_while(each.err)) return false;
    if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR && each.err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
      throw std::runtime_error("Kafka topic " + topic.name + ": " + rd_kafka_err2str(each.err));
    }
    topic.partitions = each.partition_cnt;
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

std::int32_t KafkaProducer::copies_of(const Session& session, std::string_view key) const noexcept {
  if (!is_clock(key)) return 1;
  return trades_.partitions + (session.has_quotes ? quotes_.partitions : 0);
}

bool KafkaProducer::is_out(const Session& session, const SpooledMessage& message) const noexcept {
  return message.sequence < session.begun ||
         (message.sequence == session.begun && session.copies_out == copies_of(session, message.key));
}

KafkaProducer::Place KafkaProducer::place_of_clock(std::int32_t copy) const noexcept {
  if (copy < trades_.partitions) return {trades_, copy};
  return {quotes_, copy - trades_.partitions};
}

const KafkaProducer::Topic& KafkaProducer::topic_of(std::int32_t schema_id) const noexcept {
  const auto found = std::ranges::find(topics_by_schema_, schema_id, &SchemaTopic::first);
  return found == topics_by_schema_.end() ? trades_ : *found->second;
}

KafkaProducer::Place KafkaProducer::place_of(const SpooledMessage& message, std::int32_t copy) const noexcept {
  if (is_clock(message.key)) return place_of_clock(copy);
  return {topic_of(schema_id_in(message.value)), RD_KAFKA_PARTITION_UA};
}

std::size_t KafkaProducer::produce(std::size_t number, std::span<const SpooledMessage> messages) {
  const auto unsent = [&](std::span<const SpooledMessage> from) -> std::span<const SpooledMessage> {
    const auto is_sent = [&](const SpooledMessage& message) { return is_out(sessions_[number], message); };
    return {std::ranges::partition_point(from, is_sent), from.end()};
  };
  auto rest = unsent(messages);
  for (bool has_room = true; has_room && !rest.empty();) {
    const Topic* const topic = stage(number, rest);
    has_room = topic != nullptr && send(number, *topic);
    rest = unsent(rest);
  }
  return messages.size() - rest.size();
}

/// Has copies of the first of these messages ready, as far as they go to one topic and there is room for them; to
/// which. Null when there is none. A message that librdkafka took in part goes on with the copies that are left.
const KafkaProducer::Topic* KafkaProducer::stage(std::size_t number, std::span<const SpooledMessage> messages) {
  staged_.clear();
  const Session& session = sessions_[number];
  const Topic* topic = nullptr;
  const std::uint64_t first = messages.front().sequence;
  std::int32_t copy = session.begun == first ? session.copies_out : 0;
  for (const SpooledMessage& message : messages) {
    // A window that nothing was sent in yet begins with the first of these.
    if (staged_.size() >= kMostStaged || !has_room(number, message.sequence) || message.sequence - first >= kUnderWay)
      break;
    for (const std::int32_t copies = copies_of(session, message.key); copy < copies; ++copy) {
      const Place place = place_of(message, copy);
      if (topic != nullptr && topic != &place.topic) return topic;
      topic = &place.topic;
      staged_.push_back(to_produce(message, place.partition, tag_of(number, message.sequence)));
    }
    copy = 0;
  }
  return topic;
}

/// False when librdkafka's queue is full: it then has the first of what is staged, and none of what is behind them.
bool KafkaProducer::send(std::size_t number, const Topic& topic) {
  constexpr int kFlags = RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_PARTITION;
  rd_kafka_produce_batch(topic.handle.get(), RD_KAFKA_PARTITION_UA, kFlags, staged_.data(),
                         static_cast<int>(staged_.size()));
  const auto full = std::ranges::find(staged_, RD_KAFKA_RESP_ERR__QUEUE_FULL, &rd_kafka_message_t::err);
  std::for_each(staged_.begin(), full, [&](const rd_kafka_message_t& copy) { was_sent(number, copy); });
  if (full == staged_.end()) return true;
  ++metrics_.queue_full;
  return false;
}

/// One more copy of a message is under way, or will never be.
void KafkaProducer::was_sent(std::size_t number, const rd_kafka_message_t& copy) {
  Session& session = sessions_[number];
  const std::uint64_t sequence = sequence_in(copy._private);
  if (session.begun != sequence) {
    session.begun = sequence;
    session.copies_out = 0;
    session.window.sent(sequence, static_cast<std::uint8_t>(copies_of(session, key_of(copy))));
  }
  ++session.copies_out;
  if (copy.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++metrics_.produced;
  } else if (copy.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    lose(copy);
  } else {
    fail(copy.err);
  }
}

void KafkaProducer::poll() {
  if (!has_partitions_ && steady_now_ns() >= ask_again_at_ns_) ask_again();
  rd_kafka_poll(producer_.get(), 0);
}

void KafkaProducer::flush(std::int64_t give_up_at_ns) {
  constexpr int kPollMs = 50;
  while (rd_kafka_outq_len(producer_.get()) > 0 && !is_away_ && steady_now_ns() < give_up_at_ns) {
    rd_kafka_poll(producer_.get(), kPollMs);
  }
}

/// A record alone that is larger than `message.max.bytes` will never be taken: it is lost, and counted.
void KafkaProducer::lose(const rd_kafka_message_t& copy) {
  ++metrics_.failed;
  was_delivered(copy._private);
  if (copy.err == last_refusal_) return;
  last_refusal_ = copy.err;
  log("Kafka", std::string("a record was refused: ") + rd_kafka_err2str(copy.err));
}

/// Brokers answer for a batch, so that no record of it is known to be bad, and those behind it are out of order now: a
/// new producer begins with what is not confirmed.
void KafkaProducer::fail(rd_kafka_resp_err_t code) {
  if (code == last_failure_) return;
  last_failure_ = code;
  std::string told =
      std::string("records were not taken, and are sent again by a new process: ") + rd_kafka_err2str(code);
  if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    told +=
        "; a batch must not have more than max.message.bytes of its topic, which the next process asks for (that "
        "takes DescribeConfigs), and `batch.size` in LIVETAPE_KAFKA_CLIENT sets";
  }
  log("Kafka", told);
  on_fatal_();
}

void KafkaProducer::was_delivered(void* tag) noexcept { sessions_[session_in(tag)].window.delivered(sequence_in(tag)); }

void KafkaProducer::on_delivery(rd_kafka_t* /*producer*/, const rd_kafka_message_t* message, void* self) {
  static_cast<KafkaProducer*>(self)->hear_of(*message);
}

void KafkaProducer::hear_of(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(message.err);
  was_delivered(message._private);
  ++metrics_.delivered;
  last_refusal_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  if (!is_away_) return;
  is_away_ = false;
  log("Kafka", "the brokers are back; what waited is going out");
}

/// Of a fatal error librdkafka tells only that there is one; what it is must be asked for.
void KafkaProducer::on_error(rd_kafka_t* producer, int code, const char* reason, void* self) {
  Reason fatal{};
  const bool is_fatal = code == RD_KAFKA_RESP_ERR__FATAL;
  if (is_fatal) rd_kafka_fatal_error(producer, fatal.data(), fatal.size());
  static_cast<KafkaProducer*>(self)->hear_of(static_cast<rd_kafka_resp_err_t>(code), is_fatal ? fatal.data() : reason,
                                             is_fatal);
}

void KafkaProducer::hear_of(rd_kafka_resp_err_t error, const char* reason, bool is_fatal) {
  log("Kafka", reason);
  if (is_fatal) return on_fatal_();
  if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || is_away_) return;
  is_away_ = true;
  log("Kafka", "the brokers are away: messages wait, and go out in order when they are back");
}

}  // namespace livetape::bridge
