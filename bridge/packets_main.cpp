#include <csignal>
#include <filesystem>
#include <iostream>
#include <string_view>
#include <thread>

#include "nic/packet_feed.hpp"
#include "publish/record.hpp"

using namespace livetape::bridge;

/// Reads a packet feed of a configuration file until its session has ended, and prints each trade's record in
/// hexadecimal, numbered without the clocks and with no times of our own: what the bridge makes of a feed, the same
/// whichever way the packets take.
int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--config") {
    std::cerr << "usage: livetape-bridge-packets --config FILE.json\n";
    return 2;
  }
  try {
    const Config config = read_config(argv[2]);
    Metrics metrics;
    const PacketFeedConfig& wanted = config.packet_feeds.at(0);
    metrics.venues.emplace_back().venue = metrics.packets.emplace_back().venue = wanted.venue;
    PacketFeed feed(wanted, config, metrics.venues.back(), metrics.packets.back(),
                    open_input(wanted, metrics.packets.back()));
    RecordEncoder encoder(feed.source().instruments, "", config.schema_ids);
    std::uint64_t number = 0;
    feed.publish_by([&](Message message) {
      if (message.kind != Message::Kind::trade) return;
      message.sequence = ++number;
      message.trade.receive_time_ns = message.trade.publish_time_ns = message.trade.hardware_time_ns = 0;
      std::cout << as_hex(encoder.encode(message)) << '\n';
    });
    while (!feed.has_ended()) {
      if (!feed.poll()) std::this_thread::yield();
    }
    std::cout.flush();
    std::cerr << as_prometheus_text(metrics);
    std::quick_exit(0);  // DPDK's own threads need not be waited for
  } catch (const std::exception& error) {
    std::cerr << "livetape-bridge-packets: " << error.what() << '\n';
    return 1;
  }
}
