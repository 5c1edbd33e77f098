#include "nic/udp_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/log.hpp"
#include "nic/dropped_datagrams.hpp"
#include "nic/hardware_time.hpp"

namespace livetape::bridge {
namespace {

constexpr int kReceiveBufferBytes = 32 << 20;  // bursts of a busy open, while this thread has no core

std::string as_text(const UdpAddress& address) {
  const ::in_addr host{htonl(address.host)};
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &host, text.data(), text.size());
  return std::string(text.data()) + ":" + std::to_string(address.port);
}

[[noreturn]] void fail(const std::string& what, const UdpAddress& address) {
  throw std::system_error(errno, std::generic_category(), what + " " + as_text(address));
}

::sockaddr_in as_sockaddr(const UdpAddress& address) {
  ::sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(address.port);
  out.sin_addr.s_addr = htonl(address.host);
  return out;
}

int open_socket(const UdpAddress& address) {
  const int descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("there is no socket for", address);
  return descriptor;
}

/// Whichever of the two is allowed; a smaller buffer only loses bursts sooner.
void enlarge_buffer(int descriptor, const UdpAddress& address) {
  const int bytes = kReceiveBufferBytes;
  if (::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) == 0) return;
  (void)::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  int given = 0;  // twice of what may be used, by socket(7)
  ::socklen_t size = sizeof given;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &given, &size) != 0 || given / 2 >= bytes) return;
  log(as_text(address), "the kernel has " + std::to_string(given / 2048) + " KiB for datagrams that wait, and not " +
                            std::to_string(bytes / 1024) + ": `sysctl net.core.rmem_max` says how many it may");
}

bool join(int descriptor, const UdpAddress& group, const std::string& interface) {
  ::ip_mreqn request{};
  request.imr_multiaddr.s_addr = htonl(group.host);
  if (!interface.empty() && ::inet_pton(AF_INET, interface.c_str(), &request.imr_address) != 1) {
    throw std::runtime_error("an interface is named by its IPv4 address, and not by " + interface);
  }
  return ::setsockopt(descriptor, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0;
}

}  // namespace

UdpAddress parse_udp_address(const std::string& text) {
  const auto colon = text.rfind(':');
  ::in_addr host{};
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const char* const digits = colon == std::string::npos ? end : text.data() + colon + 1;
  const auto [rest, error] = std::from_chars(digits, end, port);
  if (error != std::errc() || rest != end || ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &host) != 1) {
    throw std::runtime_error("an address must be an IPv4 address and a port, 239.1.2.3:26400, and is " + text);
  }
  return {ntohl(host.s_addr), port};
}

UdpSocket::UdpSocket(const UdpAddress& address)
    : descriptor_(open_socket(address)),
      bytes_(kBurst * kMaxBytes),
      controls_(kBurst),
      pieces_(kBurst),
      messages_(kBurst) {
  ask_for_dropped(descriptor_);
  for (std::size_t i = 0; i < kBurst; ++i) {
    pieces_[i] = {bytes_.data() + i * kMaxBytes, kMaxBytes};
    messages_[i].msg_hdr.msg_iov = &pieces_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_control = controls_[i].bytes.data();
    messages_[i].msg_hdr.msg_controllen = sizeof(Control::bytes);
  }
}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      line_(other.line_),
      dropped_(other.dropped_),
      bytes_(std::move(other.bytes_)),
      controls_(std::move(other.controls_)),
      pieces_(std::move(other.pieces_)),
      messages_(std::move(other.messages_)) {}

UdpSocket::~UdpSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

UdpSocket UdpSocket::listening(const UdpAddress& address, const std::string& interface, std::size_t line) {
  UdpSocket socket(address);
  socket.line_ = line;
  enlarge_buffer(socket.descriptor_, address);
  ask_for_hardware_times(socket.descriptor_);
  const int yes = 1;
  const int no = 0;
  // A group's datagrams come to everybody; those of an address of ours would come to the last who asks, and to him
  // alone.
  if (address.is_multicast()) (void)::setsockopt(socket.descriptor_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  // Only what this socket joined, not every group that any program of the machine did.
  (void)::setsockopt(socket.descriptor_, IPPROTO_IP, IP_MULTICAST_ALL, &no, sizeof no);
  const ::sockaddr_in bound = as_sockaddr(address);
  if (::bind(socket.descriptor_, reinterpret_cast<const ::sockaddr*>(&bound), sizeof bound) != 0) {
    fail("packets cannot be heard at", address);
  }
  if (address.is_multicast() && !join(socket.descriptor_, address, interface)) fail("no interface joins", address);
  return socket;
}

UdpSocket UdpSocket::connected(const UdpAddress& address) {
  UdpSocket socket(address);
  enlarge_buffer(socket.descriptor_, address);
  const ::sockaddr_in peer = as_sockaddr(address);
  if (::connect(socket.descriptor_, reinterpret_cast<const ::sockaddr*>(&peer), sizeof peer) != 0) {
    fail("there is no way to", address);
  }
  return socket;
}

/// An error is that of a datagram sent before, which nobody heard: the next call reads on.
void UdpSocket::receive(Payloads& out) {
  const int count = ::recvmmsg(descriptor_, messages_.data(), kBurst, 0, nullptr);
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    ::msghdr& datagram = messages_[at].msg_hdr;
    out.push_back({{bytes_.data() + at * kMaxBytes, messages_[at].msg_len}, hardware_time_ns(datagram), line_});
    if (const auto dropped = dropped_before(datagram)) dropped_ += *dropped - static_cast<std::uint32_t>(dropped_);
    datagram.msg_controllen = sizeof(Control::bytes);  // the kernel left there how much it used
  }
}

void UdpSocket::send(std::span<const std::uint8_t> payload) const noexcept {
  (void)::send(descriptor_, payload.data(), payload.size(), MSG_NOSIGNAL);
}

MulticastMembership::MulticastMembership(const UdpAddress& group, const std::string& interface)
    : descriptor_(open_socket(group)) {
  if (!join(descriptor_, group, interface)) fail("no interface joins", group);
}

MulticastMembership::~MulticastMembership() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

MulticastMembership::MulticastMembership(MulticastMembership&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

}  // namespace livetape::bridge
