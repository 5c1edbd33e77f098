#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>

#include "core/counter.hpp"
#include "core/decode_error.hpp"
#include "core/histogram.hpp"
#include "core/prometheus_text.hpp"
#include "nic/packet_metrics.hpp"

namespace livetape::bridge {

/// What one venue's thread counts.
struct VenueMetrics {
  static constexpr std::int64_t kUnknownNs = std::numeric_limits<std::int64_t>::max();
  /// How far the venue's clock is ahead of ours, if a trade's way takes half of a ping's; kUnknownNs before both are
  /// known. What it really is differs by what the venue takes to send a trade, and by how uneven the two ways are.
  [[nodiscard]] std::int64_t clock_offset_ns() const noexcept;

  std::string venue;
  Counter frames{0};
  Counter trades{0};
  Counter quotes{0};
  Counter clocks{0};
  Counter ignored{0};
  Counter connects{0};
  Counter disconnects{0};
  Counter failed_connects{0};
  Counter refused_subscriptions{0};
  Counter unlisted{0};
  Counter dead_subscriptions{0};
  Counter duplicates{0};
  Counter backfilled{0};
  Counter gaps{0};
  Counter lost{0};
  Counter hold_overflows{0};
  Counter history_requests{0};
  Counter history_failures{0};
  Counter candles{0};
  Counter candle_requests{0};
  Counter candle_failures{0};
  Counter positions_not_kept{0};
  Counter kafka_dropped{0};
  Counter spooled{0};
  Counter spool_refused{0};
  Counter spool_replayed{0};
  Counter spool_torn{0};
  Counter spool_lost{0};
  std::atomic<std::uint64_t> spool_bytes{0};
  std::atomic<int> connected{0};
  Histogram publish;  // from a frame's receipt to its trade's publication
  Histogram lag;      // from a trade's event to its receipt, beyond the least
  std::atomic<std::int64_t> least_lag_ns{kUnknownNs};
  std::atomic<std::int64_t> least_round_trip_ns{kUnknownNs};  // of a ping to the venue, in the last minute
  std::atomic<std::size_t> holding{0};
  std::array<Counter, kDecodeErrorCount> decode_errors{};
};

/// What a Kafka producer counts.
struct KafkaMetrics {
  Counter produced{0};
  Counter delivered{0};
  Counter failed{0};
  Counter queue_full{0};
};

/// All counters of the process; each is written by one thread and read by the metrics server.
struct Metrics {
  std::deque<VenueMetrics> venues;
  std::deque<PacketMetrics> packets;
  KafkaMetrics kafka;
  Counter zeromq_sent{0};
  Counter zeromq_retried{0};
  Counter bad_retries{0};
};

/// Prometheus' text format.
[[nodiscard]] std::string as_prometheus_text(const Metrics& metrics);
/// Adds a producer's counters, their names behind this prefix.
void add_kafka(PrometheusText& text, const std::string& prefix, const KafkaMetrics& metrics);

}  // namespace livetape::bridge
