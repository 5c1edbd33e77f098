#include "core/metrics.hpp"

#include <string_view>

namespace livetape::bridge {
namespace {

struct VenueCounter {
  const char* name;
  const char* help;
  Counter VenueMetrics::*counter;
};

constexpr VenueCounter kVenueCounters[] = {
    {"livetape_bridge_frames_total", "WebSocket frames read", &VenueMetrics::frames},
    {"livetape_bridge_trades_total", "Trades decoded", &VenueMetrics::trades},
    {"livetape_bridge_quotes_total", "Quotes decoded", &VenueMetrics::quotes},
    {"livetape_bridge_clocks_total", "Clock records made", &VenueMetrics::clocks},
    {"livetape_bridge_ignored_frames_total", "Frames of a known kind that hold no trade or quote",
     &VenueMetrics::ignored},
    {"livetape_bridge_connects_total", "Connections made", &VenueMetrics::connects},
    {"livetape_bridge_disconnects_total", "Connections lost", &VenueMetrics::disconnects},
    {"livetape_bridge_failed_connects_total", "Attempts to connect that failed", &VenueMetrics::failed_connects},
    {"livetape_bridge_refused_subscriptions_total", "Subscriptions that the venue refused",
     &VenueMetrics::refused_subscriptions},
    {"livetape_bridge_unlisted_instruments_total", "Instruments that the venue did not list at first",
     &VenueMetrics::unlisted},
    {"livetape_bridge_dead_subscriptions_total", "Subscriptions that were silent though the venue traded",
     &VenueMetrics::dead_subscriptions},
    {"livetape_bridge_duplicates_total", "Trades that had come before", &VenueMetrics::duplicates},
    {"livetape_bridge_backfilled_trades_total", "Trades that came from the venue's history", &VenueMetrics::backfilled},
    {"livetape_bridge_gaps_total", "Gaps that the venue's history did not fill", &VenueMetrics::gaps},
    {"livetape_bridge_lost_trades_total", "Trades of those gaps, where the venue numbers them", &VenueMetrics::lost},
    {"livetape_bridge_hold_overflows_total",
     "Times that an instrument's trades went on with a gap because too many of its venue waited",
     &VenueMetrics::hold_overflows},
    {"livetape_bridge_history_requests_total", "Questions to the venue's history", &VenueMetrics::history_requests},
    {"livetape_bridge_history_failures_total", "Questions to it without an answer", &VenueMetrics::history_failures},
    {"livetape_bridge_candles_total", "Minutes read as the venue itself tells them", &VenueMetrics::candles},
    {"livetape_bridge_candle_requests_total", "Questions for such minutes", &VenueMetrics::candle_requests},
    {"livetape_bridge_candle_failures_total", "Questions for them without a good answer",
     &VenueMetrics::candle_failures},
    {"livetape_bridge_positions_not_kept_total",
     "Times that the disk did not take how far the instruments are whole, or which day a packet session is of",
     &VenueMetrics::positions_not_kept},
    {"livetape_bridge_kafka_dropped_total", "Messages lost because the disk was too slow",
     &VenueMetrics::kafka_dropped},
    {"livetape_bridge_spooled_total", "Messages put on disk, to be there until Kafka has them", &VenueMetrics::spooled},
    {"livetape_bridge_spool_refused_total", "Messages lost because Kafka was away and the disk took no more",
     &VenueMetrics::spool_refused},
    {"livetape_bridge_spool_replayed_total", "Messages of an earlier run that are written, some for a second time",
     &VenueMetrics::spool_replayed},
    {"livetape_bridge_spool_torn_total", "Torn ends and damaged places of files on disk", &VenueMetrics::spool_torn},
    {"livetape_bridge_spool_lost_total", "Messages left out since files on disk are damaged, at most",
     &VenueMetrics::spool_lost}};

struct ReceiverCounter {
  const char* name;
  const char* help;
  Counter mold::ReceiverMetrics::*counter;
};

using mold::ReceiverMetrics;
constexpr ReceiverCounter kReceiverCounters[] = {
    {"livetape_bridge_packets_total", "Packets of a feed, from all lines and the re-request server",
     &ReceiverMetrics::packets},
    {"livetape_bridge_packet_messages_total", "Messages of a feed, each once", &ReceiverMetrics::messages},
    {"livetape_bridge_packet_heartbeats_total", "Packets without a message", &ReceiverMetrics::heartbeats},
    {"livetape_bridge_packet_duplicates_total", "Packets that another line had brought before",
     &ReceiverMetrics::duplicates},
    {"livetape_bridge_packet_malformed_total", "Packets that are cut off or of no MoldUDP64",
     &ReceiverMetrics::malformed},
    {"livetape_bridge_packet_other_session_total", "Packets of another session than ours",
     &ReceiverMetrics::other_session},
    {"livetape_bridge_packet_sessions_total", "Sessions begun", &ReceiverMetrics::sessions},
    {"livetape_bridge_packet_ended_sessions_total", "Sessions ended, with nothing of them under way",
     &ReceiverMetrics::ended_sessions},
    {"livetape_bridge_packet_gaps_total", "Times that messages were missing behind one that came",
     &ReceiverMetrics::gaps},
    {"livetape_bridge_packet_requests_total", "Requests to the re-request server", &ReceiverMetrics::requests},
    {"livetape_bridge_packet_doubted_total", "Packets of a new session, or far ahead, that waited for another to agree",
     &ReceiverMetrics::doubted},
    {"livetape_bridge_packet_too_far_ahead_total", "Messages that came too early to be held",
     &ReceiverMetrics::too_far_ahead},
    {"livetape_bridge_packet_lost_messages_total", "Messages given up", &ReceiverMetrics::lost_messages}};

std::string labels_of(const std::string& venue, std::string_view reason) {
  return "{venue=\"" + venue + "\",reason=\"" + std::string(reason) + "\"}";
}

void write_packets(PrometheusText& text, const Metrics& metrics) {
  for (const ReceiverCounter& each : kReceiverCounters) {
    text.declare(each.name, "counter", each.help);
    for (const PacketMetrics& feed : metrics.packets) {
      text.sample(each.name, "{venue=\"" + feed.venue + "\"}", feed.receiver.*each.counter);
    }
  }
  constexpr const char* kDropped = "livetape_bridge_packet_dropped_total";
  text.declare(kDropped, "counter", "Datagrams of a feed that came, and found no room in the kernel or the card");
  for (const PacketMetrics& feed : metrics.packets) {
    text.sample(kDropped, "{venue=\"" + feed.venue + "\"}", feed.dropped);
  }
  constexpr const char* kLines = "livetape_bridge_line_packets_total";
  text.declare(kLines, "counter", "Packets of a feed, by the line that brought them");
  for (const PacketMetrics& feed : metrics.packets) {
    for (const LineMetrics& line : feed.lines) {
      text.sample(kLines, "{venue=\"" + feed.venue + "\",line=\"" + line.address + "\"}", line.packets);
    }
  }
  constexpr const char* kMessageErrors = "livetape_bridge_message_errors_total";
  text.declare(kMessageErrors, "counter", "Messages of a feed that could not be used, by reason");
  constexpr const char* kFrameErrors = "livetape_bridge_frame_errors_total";
  for (const PacketMetrics& feed : metrics.packets) {
    for (std::size_t error = 1; error < itch::kErrorCount; ++error) {
      const std::string labels = labels_of(feed.venue, itch::name_of(static_cast<itch::Error>(error)));
      text.sample(kMessageErrors, labels, feed.message_errors[error]);
    }
  }
  text.declare(kFrameErrors, "counter", "Ethernet frames of DPDK that have no datagram for us, by reason");
  for (const PacketMetrics& feed : metrics.packets) {
    for (std::size_t error = 1; error < kFrameErrorCount; ++error) {
      const std::string labels = labels_of(feed.venue, name_of(static_cast<FrameError>(error)));
      text.sample(kFrameErrors, labels, feed.frame_errors[error]);
    }
    text.sample(kFrameErrors, labels_of(feed.venue, "other_address"), feed.other_datagrams);
  }
}

}  // namespace

std::int64_t VenueMetrics::clock_offset_ns() const noexcept {
  const std::int64_t lag_ns = least_lag_ns;
  const std::int64_t round_trip_ns = least_round_trip_ns;
  return lag_ns == kUnknownNs || round_trip_ns == kUnknownNs ? kUnknownNs : round_trip_ns / 2 - lag_ns;
}

std::string as_prometheus_text(const Metrics& metrics) {
  PrometheusText text;
  const auto label = [](const VenueMetrics& venue) { return "{venue=\"" + venue.venue + "\"}"; };
  for (const VenueCounter& each : kVenueCounters) {
    text.declare(each.name, "counter", each.help);
    for (const VenueMetrics& venue : metrics.venues) text.sample(each.name, label(venue), venue.*each.counter);
  }
  text.declare("livetape_bridge_connected", "gauge", "Connections that the venue has with us");
  for (const VenueMetrics& venue : metrics.venues) {
    text.sample("livetape_bridge_connected", label(venue), venue.connected);
  }
  text.declare("livetape_bridge_publish_seconds", "histogram", "From a frame's receipt to its trade's publication");
  for (const VenueMetrics& venue : metrics.venues) {
    text.histogram("livetape_bridge_publish_seconds", "venue=\"" + venue.venue + '"', venue.publish);
  }
  text.declare("livetape_bridge_lag_seconds", "histogram",
               "From a trade's event to its receipt, beyond the least of the last minute");
  for (const VenueMetrics& venue : metrics.venues) {
    text.histogram("livetape_bridge_lag_seconds", "venue=\"" + venue.venue + '"', venue.lag);
  }
  const auto seconds = [&](const char* name, const char* help, auto time_ns_of) {
    text.declare(name, "gauge", help);
    for (const VenueMetrics& venue : metrics.venues) {
      const std::int64_t time_ns = time_ns_of(venue);
      if (time_ns != VenueMetrics::kUnknownNs) text.seconds_sample(name, label(venue), time_ns);
    }
  };
  seconds("livetape_bridge_least_lag_seconds",
          "Least of the last minute from a trade's event to its receipt: what the clocks differ by, and the way",
          [](const VenueMetrics& venue) { return venue.least_lag_ns.load(); });
  seconds("livetape_bridge_round_trip_seconds", "Least of the last minute from a ping to the venue to its answer",
          [](const VenueMetrics& venue) { return venue.least_round_trip_ns.load(); });
  seconds("livetape_bridge_clock_offset_seconds",
          "How far the venue's clock is ahead of ours: half a round trip less the least lag",
          [](const VenueMetrics& venue) { return venue.clock_offset_ns(); });
  text.declare("livetape_bridge_spool_bytes", "gauge", "Size of the messages on disk that Kafka may not have");
  for (const VenueMetrics& venue : metrics.venues) {
    text.sample("livetape_bridge_spool_bytes", label(venue), venue.spool_bytes);
  }
  text.declare("livetape_bridge_holding", "gauge", "Instruments whose newer trades wait for those of a gap");
  for (const VenueMetrics& venue : metrics.venues) text.sample("livetape_bridge_holding", label(venue), venue.holding);
  text.declare("livetape_bridge_decode_errors_total", "counter", "Frames that could not be decoded, by reason");
  for (const VenueMetrics& venue : metrics.venues) {
    for (std::size_t error = 1; error < kDecodeErrorCount; ++error) {
      const std::string labels = labels_of(venue.venue, name_of(static_cast<DecodeError>(error)));
      text.sample("livetape_bridge_decode_errors_total", labels, venue.decode_errors[error]);
    }
  }
  write_packets(text, metrics);
  add_kafka(text, "livetape_bridge_kafka_", metrics.kafka);
  text.counter("livetape_bridge_zeromq_sent_total", "Messages published on ZeroMQ", metrics.zeromq_sent);
  text.counter("livetape_bridge_zeromq_retried_total", "Messages sent again to those who missed them",
               metrics.zeromq_retried);
  text.counter("livetape_bridge_bad_retries_total", "Requests for missed messages that could not be read",
               metrics.bad_retries);
  return text.take();
}

void add_kafka(PrometheusText& text, const std::string& prefix, const KafkaMetrics& metrics) {
  text.counter(prefix + "produced_total", "Records handed to the Kafka producer", metrics.produced);
  text.counter(prefix + "delivered_total", "Records that the brokers have", metrics.delivered);
  text.counter(prefix + "failed_total", "Records that the brokers refused", metrics.failed);
  text.counter(prefix + "queue_full_total", "Times that the Kafka producer's queue was full", metrics.queue_full);
}

}  // namespace livetape::bridge
