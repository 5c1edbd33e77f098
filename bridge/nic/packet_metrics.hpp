#pragma once

#include <array>
#include <deque>
#include <string>
#include <utility>

#include "core/counter.hpp"
#include "nic/itch_decoder.hpp"
#include "nic/mold_receiver.hpp"
#include "nic/udp_frame.hpp"

namespace livetape::bridge {

/// What is counted of one line of a feed.
struct LineMetrics {
  explicit LineMetrics(std::string line) : address(std::move(line)) {}

  std::string address;
  Counter packets{0};
};

/// What one packet feed counts.
struct PacketMetrics {
  std::string venue;
  std::deque<LineMetrics> lines;  // in the order of the feed's configuration
  Counter dropped{0};             // datagrams that came, and found no room in the kernel or the card
  mold::ReceiverMetrics receiver;
  std::array<Counter, itch::kErrorCount> message_errors{};
  std::array<Counter, kFrameErrorCount> frame_errors{};  // of DPDK's frames
  Counter other_datagrams{0};                            // sent to none of the lines' addresses
};

}  // namespace livetape::bridge
