#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "core/refused_trades.hpp"
#include "publish/kafka_producer.hpp"
#include "publish/publisher_thread.hpp"
#include "publish/record.hpp"
#include "publish/spool.hpp"
#include "publish/unkept_messages.hpp"

namespace livetape::bridge {

/// Puts every message into its venue's spool, and, where the venue has no relay, writes it to Kafka from there: what an
/// earlier run left first, then all in order. While Kafka keeps up a message goes out in the turn it came in, from
/// memory; else it is read from the spool when its turn has come. So what was taken survives Kafka's absence and the
/// process's own end.
class KafkaPublisher {
 public:
  /// `on_fatal` is called, from the publisher's thread, when the producer can write no more and only a new process
  /// helps.
  /// Throws std::runtime_error for a setting that librdkafka refuses, a topic that the brokers do not have, or a folder
  /// that cannot be used.
  KafkaPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics,
                 std::function<void()> on_fatal);
  ~KafkaPublisher();
  KafkaPublisher(const KafkaPublisher&) = delete;
  KafkaPublisher& operator=(const KafkaPublisher&) = delete;

  void start();
  /// Takes what is in the rings and waits until the brokers have it, for eight seconds at most: whoever ends a process
  /// gives it about ten. A relay has two to confirm. What is left stays on disk for the next run. False when something
  /// was lost.
  bool stop();

  /// The spool of a venue that has a relay; null for any other.
  [[nodiscard]] Spool* relay_spool(std::string_view venue) noexcept;

 private:
  /// A venue's way to Kafka.
  struct Lane {
    Lane(const Config& config, const MessageSource& source, Writer writer, VenueMetrics& metrics);

    RecordEncoder encoder;
    VenueMetrics& metrics;
    Writer writer;
    SessionId session;
    bool has_quotes;
    std::uint64_t taken = 0;  // messages of this run
    Spool spool;
    SpoolReader reader{spool};
    std::span<const SpooledMessage> waiting;                  // read, and not yet produced
    std::vector<std::pair<SessionId, std::size_t>> sessions;  // with the producer's numbers of them
    std::vector<SpooledMessage> batch;                        // of this turn
    std::vector<Message> appended;                            // the same, as they were taken
    RefusedTrades refused;
    UnkeptMessages unkept;
  };

  void take(std::size_t ring, const Message& message);
  static void append(Lane& lane, const Message& message);
  void end_turn();
  void settle(Lane& lane);
  static void refuse(Lane& lane, std::size_t count);
  void confirm(Lane& lane);
  void catch_up(Lane& lane);
  [[nodiscard]] std::span<const SpooledMessage> produce(Lane& lane, const SessionId& session,
                                                        std::span<const SpooledMessage> messages);
  [[nodiscard]] std::size_t number_of(Lane& lane, const SessionId& session);

  Metrics& metrics_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<MessageRing*> rings_;
  std::unique_ptr<KafkaProducer> producer_;  // where a venue has no relay
  std::unique_ptr<PublisherThread> thread_;
};

}  // namespace livetape::bridge
