#include "relay/relay_metrics.hpp"

namespace livetape::bridge {
namespace {

struct VenueCounter {
  const char* name;
  const char* help;
  Counter RelayVenueMetrics::*counter;
};

constexpr VenueCounter kVenueCounters[] = {
    {"livetape_relay_live_total", "Messages that came live", &RelayVenueMetrics::live},
    {"livetape_relay_asked_for_total", "Messages that the bridge was asked for", &RelayVenueMetrics::asked_for},
    {"livetape_relay_again_total", "Messages that had come before", &RelayVenueMetrics::again},
    {"livetape_relay_lost_total", "Messages that the bridge no longer had", &RelayVenueMetrics::lost}};

}  // namespace

std::string as_prometheus_text(const RelayMetrics& metrics) {
  PrometheusText text;
  for (const VenueCounter& each : kVenueCounters) {
    text.declare(each.name, "counter", each.help);
    for (const RelayVenueMetrics& venue : metrics.venues) {
      text.sample(each.name, "{venue=\"" + venue.venue + "\"}", venue.*each.counter);
    }
  }
  add_kafka(text, "livetape_relay_kafka_", metrics.kafka);
  return text.take();
}

}  // namespace livetape::bridge
