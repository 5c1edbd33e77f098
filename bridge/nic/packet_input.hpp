#pragma once

#include <memory>
#include <vector>

#include "core/config.hpp"
#include "nic/packet_metrics.hpp"
#include "nic/packet_source.hpp"
#include "nic/udp_socket.hpp"

namespace livetape::bridge {

/// The ways that a feed's packets come by.
struct PacketInput {
  std::vector<std::unique_ptr<PacketSource>> sources;
  std::vector<int> descriptors;  // of the kernel's sockets among them, to sleep on
  std::vector<MulticastMembership> memberships;
  UdpSocket* server = nullptr;  // of re-requests, one of the sources; null where there is none
};

/// Opens what a feed's configuration names. Throws std::runtime_error for an address, an interface or a device that
/// cannot be had.
[[nodiscard]] PacketInput open_input(const PacketFeedConfig& config, PacketMetrics& metrics);

}  // namespace livetape::bridge
