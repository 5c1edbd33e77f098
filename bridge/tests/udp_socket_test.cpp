#include "nic/udp_socket.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <vector>

namespace livetape::bridge {
namespace {

/// Of a socket that listens on a free port of this machine.
UdpAddress address_of(const UdpSocket& socket) {
  ::sockaddr_in bound{};
  ::socklen_t size = sizeof bound;
  EXPECT_EQ(::getsockname(socket.descriptor(), reinterpret_cast<::sockaddr*>(&bound), &size), 0);
  return {INADDR_LOOPBACK, ntohs(bound.sin_port)};
}

std::uint64_t received_by(UdpSocket& socket) {
  std::uint64_t count = 0;
  for (Payloads payloads;; count += payloads.size()) {
    payloads.clear();
    socket.receive(payloads);
    if (payloads.empty()) return count;
  }
}

TEST(UdpSocket, CountsTheDatagramsThatFoundNoRoom) {
  constexpr std::uint64_t kSent = 1'000;
  UdpSocket socket = UdpSocket::listening({INADDR_LOOPBACK, 0}, "");
  const int tiny = 0;  // as small as the kernel allows
  ASSERT_EQ(::setsockopt(socket.descriptor(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny), 0);
  const UdpSocket sender = UdpSocket::connected(address_of(socket));
  const std::vector<std::uint8_t> datagram(100, 'x');
  for (std::uint64_t i = 0; i < kSent; ++i) sender.send(datagram);
  const std::uint64_t first = received_by(socket);
  sender.send(datagram);  // brings the news of those before it
  EXPECT_EQ(received_by(socket), 1U);
  EXPECT_GT(first, 0U);
  EXPECT_EQ(first + socket.dropped(), kSent);
}

}  // namespace
}  // namespace livetape::bridge
