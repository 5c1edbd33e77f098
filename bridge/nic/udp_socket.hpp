#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nic/dropped_datagrams.hpp"
#include "nic/hardware_time.hpp"
#include "nic/packet_source.hpp"
#include "nic/udp_frame.hpp"

namespace livetape::bridge {

/// `239.1.2.3:26400` as an address. Throws std::runtime_error that names what is none.
[[nodiscard]] UdpAddress parse_udp_address(const std::string& text);

/// A UDP socket of the kernel that reads bursts and never waits.
class UdpSocket final : public PacketSource {
 public:
  /// Hears what is sent to an address of this machine or to a multicast group, which is joined on the interface with
  /// the address `interface`, or on one of the system's choice where that is empty.
  /// Throws std::runtime_error that names the address when it cannot be had.
  /// What it hears is of the feed's line with that number.
  static UdpSocket listening(const UdpAddress& address, const std::string& interface, std::size_t line = 0);
  /// Sends to an address, and hears what is sent from there.
  /// Throws std::runtime_error that names the address when it cannot be had.
  static UdpSocket connected(const UdpAddress& address);

  UdpSocket(UdpSocket&& other) noexcept;
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;
  UdpSocket& operator=(UdpSocket&&) = delete;
  ~UdpSocket() override;

  void receive(Payloads& out) override;
  [[nodiscard]] std::uint64_t dropped() const noexcept override { return dropped_; }
  /// What cannot be sent is lost, as any datagram may be.
  void send(std::span<const std::uint8_t> payload) const noexcept;

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  static constexpr std::size_t kBurst = 64;
  static constexpr std::size_t kMaxBytes = 9'216;  // a jumbo frame
  struct alignas(::cmsghdr) Control {
    std::array<std::uint8_t, kHardwareTimeBytes + kDroppedBytes> bytes;
  };

  explicit UdpSocket(const UdpAddress& address);

  int descriptor_;
  std::size_t line_ = 0;
  std::uint64_t dropped_ = 0;
  std::vector<std::uint8_t> bytes_;
  std::vector<Control> controls_;
  std::vector<::iovec> pieces_;
  std::vector<::mmsghdr> messages_;
};

/// Keeps a multicast group joined, so that the network sends it here, and reads nothing of it.
class MulticastMembership {
 public:
  /// Throws std::system_error that names the group when it cannot be joined, and std::runtime_error for an interface
  /// that is none.
  MulticastMembership(const UdpAddress& group, const std::string& interface);
  ~MulticastMembership();
  MulticastMembership(MulticastMembership&& other) noexcept;
  MulticastMembership(const MulticastMembership&) = delete;
  MulticastMembership& operator=(const MulticastMembership&) = delete;
  MulticastMembership& operator=(MulticastMembership&&) = delete;

 private:
  int descriptor_;
};

}  // namespace livetape::bridge
