#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nic/packet_metrics.hpp"
#include "nic/packet_source.hpp"
#include "nic/udp_frame.hpp"

namespace livetape::bridge {

/// Polls every port that DPDK was told of, a card's, a virtual device's or a pcap file's, and picks the datagrams that
/// are sent to one of the addresses. `arguments` are those of DPDK's environment layer, separated by spaces. DPDK
/// begins once a process, so there is one such source. Throws std::runtime_error when DPDK does not begin or a port
/// does not, and where livetape was built without DPDK.
[[nodiscard]] std::unique_ptr<PacketSource> make_dpdk_source(const std::string& arguments,
                                                             const std::vector<UdpAddress>& addresses,
                                                             PacketMetrics& metrics);

}  // namespace livetape::bridge
