#include "nic/packet_input.hpp"

#include <string>
#include <system_error>
#include <utility>

#include "core/log.hpp"
#include "nic/dpdk.hpp"

namespace livetape::bridge {
namespace {

std::vector<UdpAddress> addresses_of(const std::vector<std::string>& lines) {
  std::vector<UdpAddress> addresses;
  addresses.reserve(lines.size());
  for (const std::string& line : lines) addresses.push_back(parse_udp_address(line));
  return addresses;
}

UdpSocket* add_socket(PacketInput& input, UdpSocket socket) {
  auto source = std::make_unique<UdpSocket>(std::move(socket));
  UdpSocket* const at = source.get();
  input.descriptors.push_back(at->descriptor());
  input.sources.push_back(std::move(source));
  return at;
}

/// Has the kernel join a group, so that the network sends it here. A port that DPDK has alone is no interface of the
/// kernel's, and is read all the same.
void join(PacketInput& input, const PacketFeedConfig& config, const UdpAddress& group) {
  try {
    input.memberships.emplace_back(group, config.interface);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::no_such_device) throw;
    log(config.venue, std::string(error.what()) + "; DPDK reads it where the network sends it without that");
  }
}

void add_dpdk(PacketInput& input, const PacketFeedConfig& config, const std::vector<UdpAddress>& addresses,
              PacketMetrics& metrics) {
  for (const UdpAddress& address : addresses) {
    if (address.is_multicast()) join(input, config, address);
  }
  input.sources.push_back(make_dpdk_source(*config.dpdk, addresses, metrics));
}

}  // namespace

PacketInput open_input(const PacketFeedConfig& config, PacketMetrics& metrics) {
  PacketInput input;
  const std::vector<UdpAddress> addresses = addresses_of(config.lines);
  if (config.dpdk) {
    add_dpdk(input, config, addresses, metrics);
  } else {
    for (std::size_t line = 0; line < addresses.size(); ++line) {
      add_socket(input, UdpSocket::listening(addresses[line], config.interface, line));
    }
  }
  if (!config.rerequest.empty()) {
    input.server = add_socket(input, UdpSocket::connected(parse_udp_address(config.rerequest)));
  }
  return input;
}

}  // namespace livetape::bridge
