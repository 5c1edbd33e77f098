#include "nic/udp_socket.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdint>
#include <vector>

#include "core/time.hpp"

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
  constexpr std::int64_t kGiveUpNs = 120'000'000'000;
  constexpr std::uint64_t kTooMany = 100;  // some times of what finds room, and less than the kernel has on their way
  UdpSocket socket = UdpSocket::listening({INADDR_LOOPBACK, 0}, "");
  const int tiny = 0;  // as small as the kernel allows
  ASSERT_EQ(::setsockopt(socket.descriptor(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny), 0);
  const UdpSocket sender = UdpSocket::connected(address_of(socket));
  const std::vector<std::uint8_t> datagram(100, 'x');
  for (std::uint64_t i = 0; i < kTooMany; ++i) sender.send(datagram);
  std::uint64_t sent = kTooMany;
  std::uint64_t received = received_by(socket);
  const std::int64_t give_up_at_ns = steady_now_ns() + kGiveUpNs;
  do {
    sender.send(datagram);  // brings the news of those before it
    ++sent;
    ::pollfd waited{socket.descriptor(), POLLIN, 0};
    (void)::poll(&waited, 1, 1'000);
    received += received_by(socket);
  } while (received + socket.dropped() != sent && steady_now_ns() < give_up_at_ns);
  EXPECT_GT(socket.dropped(), 0U);
  EXPECT_EQ(received + socket.dropped(), sent);
}

}  // namespace
}  // namespace livetape::bridge
