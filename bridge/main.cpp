#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "core/metrics.hpp"
#include "exchange/venue_thread.hpp"
#include "nic/packet_feed.hpp"
#include "publish/kafka_publisher.hpp"
#include "publish/metrics_server.hpp"
#include "publish/retry_server.hpp"
#include "publish/zeromq_publisher.hpp"

using namespace livetape::bridge;

namespace {

/// Runs until a signal ends the process, with 1 when records were lost; or until the producer can write no more, with
/// 1, so that whoever watches over the process starts another.
[[noreturn]] void run(const Config& config) {
  Metrics metrics;
  std::vector<std::unique_ptr<VenueThread>> venues;
  std::vector<MessageSource> sources;
  for (const VenueConfig& venue : config.venues) {
    metrics.venues.emplace_back().venue = venue.venue;
    venues.push_back(std::make_unique<VenueThread>(venue, config, metrics.venues.back()));
    sources.push_back(venues.back()->source());
  }
  std::vector<std::unique_ptr<PacketFeed>> feeds;
  for (const PacketFeedConfig& feed : config.packet_feeds) {
    metrics.venues.emplace_back().venue = metrics.packets.emplace_back().venue = feed.venue;
    PacketInput input = open_input(feed, metrics.packets.back());
    feeds.push_back(
        std::make_unique<PacketFeed>(feed, config, metrics.venues.back(), metrics.packets.back(), std::move(input)));
    sources.push_back(feeds.back()->source());
  }
  boost::asio::io_context context(1);
  const MetricsServer server(context, config.metrics, "LIVETAPE_BRIDGE_METRICS",
                             [&metrics] { return as_prometheus_text(metrics); });
  // Of two bridges by mistake the second ends at the spools, before it takes anything of the first.
  auto kafka = std::make_unique<KafkaPublisher>(config, sources, metrics, [&context] { context.stop(); });
  ZeroMqPublisher zeromq(config, sources, metrics);
  auto retry_sources = zeromq.retry_sources();
  for (RetrySource& source : retry_sources) source.spool = kafka->relay_spool(source.venue);
  RetryServer retries(config.zeromq_retry, std::move(retry_sources), metrics);
  // Until here there is nothing to flush: a signal ends the process at once, even while Kafka is waited for.
  bool is_asked_to_end = false;
  boost::asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](const auto&, int) {
    is_asked_to_end = true;
    context.stop();
  });
  retries.start();
  kafka->start();
  for (const auto& venue : venues) venue->start();
  for (const auto& feed : feeds) feed->start();
  context.run();
  // What was read is published before the end: first the sources stop, then Kafka's publisher empties their rings.
  for (const auto& venue : venues) venue->stop();
  for (const auto& feed : feeds) feed->stop();
  zeromq.stop();
  const bool is_nothing_lost = kafka->stop();
  retries.stop();
  kafka.reset();  // deletes the spools that hold nothing
  // All is out. Other destructors would wait for a name look-up that hangs, as long as the resolver's time-outs.
  std::quick_exit(is_asked_to_end && is_nothing_lost ? EXIT_SUCCESS : EXIT_FAILURE);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--config") {
    std::cerr << "usage: livetape-bridge --config FILE.json\n";
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our log or a socket that goes is an error code, not the end
  try {
    run(read_config(argv[2]));
  } catch (const std::exception& error) {
    std::cerr << "livetape-bridge: " << error.what() << '\n';
    return 1;
  }
}
