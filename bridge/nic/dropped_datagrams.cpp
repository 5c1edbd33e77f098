#include "nic/dropped_datagrams.hpp"

#include <cstring>

namespace livetape::bridge {

void ask_for_dropped(int descriptor) noexcept {
  const int yes = 1;
  (void)::setsockopt(descriptor, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
}

std::optional<std::uint32_t> dropped_before(::msghdr& datagram) noexcept {
  for (::cmsghdr* one = CMSG_FIRSTHDR(&datagram); one != nullptr; one = CMSG_NXTHDR(&datagram, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SO_RXQ_OVFL) continue;
    std::uint32_t count = 0;
    std::memcpy(&count, CMSG_DATA(one), sizeof count);
    return count;
  }
  return std::nullopt;
}

}  // namespace livetape::bridge
