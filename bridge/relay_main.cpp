#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>
#include <string_view>

#include "core/config.hpp"
#include "publish/metrics_server.hpp"
#include "relay/relay.hpp"
#include "relay/relay_metrics.hpp"

using namespace livetape::bridge;

namespace {

/// Runs until a signal ends the process, or the producer can write no more. False then, and where messages were lost.
bool run(const Config& config) {
  RelayMetrics metrics;
  boost::asio::io_context context(1);
  const MetricsServer server(context, config.relay_metrics, "LIVETAPE_RELAY_METRICS",
                             [&metrics] { return as_prometheus_text(metrics); });
  bool is_asked_to_end = false;
  Relay relay(config, metrics, [&context] { context.stop(); });
  boost::asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](const auto&, int) {
    is_asked_to_end = true;
    context.stop();
  });
  relay.start();
  context.run();
  relay.stop();
  const auto has_lost = [](const RelayVenueMetrics& venue) { return venue.lost > 0; };
  return is_asked_to_end && std::ranges::none_of(metrics.venues, has_lost);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--config") {
    std::cerr << "usage: livetape-relay --config FILE.json\n";
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our log that goes is an error code, not the end
  try {
    return run(read_config(argv[2])) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "livetape-relay: " << error.what() << '\n';
    return 1;
  }
}
