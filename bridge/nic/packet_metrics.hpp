#pragma once

#include <array>
#include <string>

#include "core/counter.hpp"
#include "nic/itch_decoder.hpp"
#include "nic/mold_receiver.hpp"
#include "nic/udp_frame.hpp"

namespace livetape::bridge {

/// What one packet feed counts.
struct PacketMetrics {
  std::string venue;
  mold::ReceiverMetrics receiver;
  std::array<Counter, itch::kErrorCount> message_errors{};
  std::array<Counter, kFrameErrorCount> frame_errors{};  // of DPDK's frames
  Counter other_datagrams{0};                            // sent to none of the lines' addresses
};

}  // namespace livetape::bridge
