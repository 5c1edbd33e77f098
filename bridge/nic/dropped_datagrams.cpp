#include "nic/dropped_datagrams.hpp"

#include "nic/control_message.hpp"

namespace livetape::bridge {

void ask_for_dropped(int descriptor) noexcept {
  const int yes = 1;
  (void)::setsockopt(descriptor, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
}

std::optional<std::uint32_t> dropped_before(::msghdr& datagram) noexcept {
  return control_message<std::uint32_t>(datagram, SO_RXQ_OVFL);
}

}  // namespace livetape::bridge
