#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace livetape::bridge {

/// An IPv4 address and port, in the machine's byte order.
struct UdpAddress {
  std::uint32_t host = 0;
  std::uint16_t port = 0;

  [[nodiscard]] bool is_multicast() const noexcept { return host >> 28 == 0xe; }
  friend bool operator==(const UdpAddress&, const UdpAddress&) = default;
};

/// Why an Ethernet frame has no datagram for us.
enum class FrameError : std::uint8_t {
  none,
  truncated,     // shorter than its headers say
  not_ipv4_udp,  // of another protocol: ARP, IPv6, TCP
  bad_header,    // a header of IPv4 or UDP that contradicts itself
  bad_checksum,  // of the IPv4 header
  fragment,      // of a larger datagram: feeds send none
  count,
};

inline constexpr std::size_t kFrameErrorCount = static_cast<std::size_t>(FrameError::count);

/// The reason as metrics have it.
[[nodiscard]] std::string_view name_of(FrameError error) noexcept;

struct UdpFrame {
  FrameError error = FrameError::none;
  UdpAddress destination;
  std::span<const std::uint8_t> payload;
};

/// Checks the headers of an Ethernet frame, with up to two VLAN tags, that a UDP datagram is in. UDP's own checksum is
/// left to the card: a packet that a virtual device hands over has none yet.
[[nodiscard]] UdpFrame parse_udp_frame(std::span<const std::uint8_t> frame) noexcept;

/// An Ethernet frame around a datagram's payload that is sent there, for captures: nobody is its sender, and UDP's
/// checksum says that there is none. A payload is at most what a datagram can have.
[[nodiscard]] std::vector<std::uint8_t> make_udp_frame(const UdpAddress& destination,
                                                       std::span<const std::uint8_t> payload);

}  // namespace livetape::bridge
