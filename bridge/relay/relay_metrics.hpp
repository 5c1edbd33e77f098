#pragma once

#include <deque>
#include <string>

#include "core/metrics.hpp"

namespace livetape::bridge {

/// What the relay counts of one venue.
struct RelayVenueMetrics {
  std::string venue;
  Counter live{0};
  Counter asked_for{0};
  Counter again{0};
  Counter lost{0};
};

/// All counters of the relay; each is written by its thread and read by the metrics server.
struct RelayMetrics {
  std::deque<RelayVenueMetrics> venues;
  KafkaMetrics kafka;
};

/// Prometheus' text format.
[[nodiscard]] std::string as_prometheus_text(const RelayMetrics& metrics);

}  // namespace livetape::bridge
