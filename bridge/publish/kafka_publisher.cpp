#include "publish/kafka_publisher.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "core/log.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kStopTimeoutNs = 8'000'000'000;
constexpr std::int64_t kRelayTimeoutNs = 2'000'000'000;
constexpr std::chrono::milliseconds kLook{5};
constexpr std::string_view kDamaged = "their file was damaged before Kafka had them";

/// Tells of messages that a venue's spool lost by a gap of any instrument, as which they were of is not known.
LossTeller loss_teller(const MessageSource& source, const SchemaIds& schema_ids) {
  const auto trade_time_ns = [schema_ids](std::span<const std::uint8_t> value) {
    return schema_id_in(value) == schema_ids.trade ? trade_time_ns_in(value) : std::nullopt;
  };
  const auto tell = [instruments = source.instruments, schema_ids](const LostMessages& lost) {
    Message message;
    message.kind = Message::Kind::gap;
    message.sequence = lost.last;
    message.gap = {.from_time_ns = lost.from_time_ns,
                   .to_time_ns = lost.to_time_ns,
                   .reason = kDamaged,
                   .is_of_any = true,
                   .first_message = lost.first,
                   .last_message = lost.last};
    RecordEncoder encoder(instruments, as_hex(lost.session), schema_ids);
    const auto value = encoder.encode(message);
    return LossRecord{std::string(encoder.key(message)), {value.begin(), value.end()}};
  };
  return {trade_time_ns, tell};
}

}  // namespace

KafkaPublisher::Lane::Lane(const Config& config, const MessageSource& source, Writer its_writer,
                           VenueMetrics& venue_metrics)
    : encoder(source.instruments, as_hex(source.session), config.schema_ids),
      metrics(venue_metrics),
      writer(its_writer),
      session(source.session),
      has_quotes(source.has_quotes),
      spool(config.spool_dir / source.instruments->venue(), session, config.spool_bytes, metrics,
            loss_teller(source, config.schema_ids)) {}

KafkaPublisher::KafkaPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics,
                               std::function<void()> on_fatal)
    : metrics_(metrics) {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Writer writer = config.writer_of(sources[i].instruments->venue());
    lanes_.push_back(std::make_unique<Lane>(config, sources[i], writer, metrics.venues[i]));
    rings_.push_back(sources[i].kafka);
  }
  const auto is_relayed = [](const auto& lane) { return lane->writer == Writer::relay; };
  if (!lanes_.empty() && std::ranges::all_of(lanes_, is_relayed)) return;
  producer_ = std::make_unique<KafkaProducer>(config, metrics.kafka, std::move(on_fatal));
}

KafkaPublisher::~KafkaPublisher() { stop(); }

void KafkaPublisher::start() {
  thread_ = std::make_unique<PublisherThread>(
      "kafka", rings_, [this](std::size_t ring, const Message& message) { take(ring, message); },
      [this] { end_turn(); });
}

bool KafkaPublisher::stop() {
  if (!thread_) return true;
  const std::int64_t now_ns = steady_now_ns();
  thread_->stop();
  thread_.reset();
  if (producer_) producer_->flush(now_ns + kStopTimeoutNs);
  std::uint64_t lost = metrics_.kafka.failed;
  for (const auto& lane : lanes_) {
    confirm(*lane);
    while (lane->writer == Writer::relay && !lane->spool.sessions().empty() &&
           steady_now_ns() < now_ns + kRelayTimeoutNs) {
      std::this_thread::sleep_for(kLook);
    }
    for (const SpooledSession& left : lane->spool.sessions()) {
      log("Kafka", std::to_string(left.last - left.first + 1) + " messages of " + lane->metrics.venue +
                       " wait on disk for the next start");
    }
    lost += lane->metrics.spool_refused + lane->metrics.kafka_dropped + lane->unkept.size() + lane->metrics.spool_lost;
  }
  if (lost > 0) log("Kafka", std::to_string(lost) + " messages were lost");
  return lost == 0;
}

Spool* KafkaPublisher::relay_spool(std::string_view venue) noexcept {
  for (const auto& lane : lanes_) {
    if (lane->metrics.venue == venue && lane->writer == Writer::relay) return &lane->spool;
  }
  return nullptr;
}

/// What was refused is told in front of the next messages, until they are taken.
void KafkaPublisher::take(std::size_t ring, const Message& message) {
  Lane& lane = *lanes_[ring];
  if (!lane.spool.has_batch()) {
    for (const Message* gap = lane.refused.front(); gap != nullptr; gap = lane.refused.front()) {
      append(lane, *gap);
      lane.refused.pop();
    }
  }
  append(lane, message);
}

/// A relay asks for messages by their own numbers. What the bridge writes itself is numbered in the order it came in:
/// trades that waited for those of a gap come behind messages of higher numbers.
void KafkaPublisher::append(Lane& lane, const Message& message) {
  const auto value = lane.encoder.encode(message);
  const std::uint64_t number = lane.writer == Writer::relay ? message.sequence : ++lane.taken;
  lane.spool.append(number, lane.encoder.key(message), value);
  lane.appended.push_back(message);
}

/// A ring is not settled while trades of it are refused, nor behind those that only the producer has: a run that ends
/// before it could tell so, or before the brokers have them, leaves them to the next one, which asks the venue for what
/// came behind the last that was.
void KafkaPublisher::end_turn() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = *lanes_[i];
    settle(lane);
    if (lane.writer == Writer::direct) catch_up(lane);
    confirm(lane);
    if (lane.refused.is_empty()) rings_[i]->settle(lane.unkept.settled(rings_[i]->popped()));
  }
  if (producer_) producer_->poll();
}

void KafkaPublisher::confirm(Lane& lane) {
  for (const auto& [session, number] : lane.sessions) {
    const std::uint64_t confirmed = producer_->confirmed(number);
    lane.spool.confirm(session, confirmed);
    if (session == lane.session) lane.unkept.confirm(confirmed);
  }
}

/// Sees to the messages of this turn: on disk all of them, and on to Kafka those that have nothing before them. Where
/// the disk does not take them they are lost only if Kafka cannot take them either.
void KafkaPublisher::settle(Lane& lane) {
  if (!lane.spool.has_batch()) return;
  const bool is_up = lane.writer == Writer::direct && lane.waiting.empty() && lane.reader.is_at_end();
  const bool is_kept = lane.spool.flush();
  lane.batch.clear();
  if (is_up || !is_kept) lane.spool.read_batch(lane.batch);
  const auto left = is_up ? produce(lane, lane.session, lane.batch) : std::span<const SpooledMessage>(lane.batch);
  if (!is_kept) {
    for (const SpooledMessage& taken : std::span(lane.batch).first(lane.batch.size() - left.size())) {
      lane.unkept.add(taken.sequence);
    }
    refuse(lane, left.size());
  } else if (is_up && left.empty()) {
    lane.reader.seek_end();
  } else if (is_up) {
    (void)lane.reader.seek(lane.session, left.front().sequence);
  }
  lane.spool.clear();
  lane.appended.clear();
}

/// The last so many of the batch. A gap is not lost by that: it is told later.
void KafkaPublisher::refuse(Lane& lane, std::size_t count) {
  for (const Message& message : std::span(lane.appended).last(count)) {
    if (message.kind != Message::Kind::gap) ++lane.metrics.spool_refused;
    lane.refused.add(message);
  }
}

/// Writes what waits on disk, as far as the producer has room.
void KafkaPublisher::catch_up(Lane& lane) {
  for (;;) {
    if (lane.waiting.empty()) lane.waiting = lane.reader.read();
    if (lane.waiting.empty()) return;
    lane.waiting = produce(lane, lane.reader.session(), lane.waiting);
    if (!lane.waiting.empty()) return;
  }
}

/// What the producer has no room for now.
std::span<const SpooledMessage> KafkaPublisher::produce(Lane& lane, const SessionId& session,
                                                        std::span<const SpooledMessage> messages) {
  if (messages.empty()) return messages;
  return messages.subspan(producer_->produce(number_of(lane, session), messages));
}

std::size_t KafkaPublisher::number_of(Lane& lane, const SessionId& session) {
  const auto found = std::ranges::find(lane.sessions, session, &std::pair<SessionId, std::size_t>::first);
  if (found != lane.sessions.end()) return found->second;
  lane.sessions.emplace_back(session, producer_->add_session(lane.has_quotes));
  return lane.sessions.back().second;
}

}  // namespace livetape::bridge
