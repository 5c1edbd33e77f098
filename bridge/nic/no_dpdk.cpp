#include <stdexcept>

#include "nic/dpdk.hpp"

namespace livetape::bridge {

std::unique_ptr<PacketSource> make_dpdk_source(const std::string& /*arguments*/,
                                               const std::vector<UdpAddress>& /*addresses*/,
                                               PacketMetrics& /*metrics*/) {
  throw std::runtime_error("this bridge was built without DPDK: leave out `dpdk`, and the kernel's sockets are read");
}

}  // namespace livetape::bridge
