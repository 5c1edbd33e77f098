#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <string>

#include "core/counter.hpp"
#include "exchange/decode_error.hpp"
#include "nic/packet_metrics.hpp"

namespace livetape::bridge {

/// What one venue's thread counts.
struct VenueMetrics {
  std::string venue;
  Counter frames{0};
  Counter trades{0};
  Counter clocks{0};
  Counter ignored{0};
  Counter connects{0};
  Counter disconnects{0};
  Counter failed_connects{0};
  Counter refused_subscriptions{0};
  Counter kafka_dropped{0};
  Counter zeromq_dropped{0};
  std::atomic<int> connected{0};
  std::array<Counter, kDecodeErrorCount> decode_errors{};
};

/// All counters of the process; each is written by one thread and read by the metrics server.
struct Metrics {
  std::deque<VenueMetrics> venues;
  std::deque<PacketMetrics> packets;
  Counter kafka_produced{0};
  Counter kafka_delivered{0};
  Counter kafka_failed{0};
  Counter kafka_queue_full{0};
  Counter zeromq_sent{0};
};

/// Prometheus' text format.
[[nodiscard]] std::string as_prometheus_text(const Metrics& metrics);

}  // namespace livetape::bridge
