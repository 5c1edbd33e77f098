#include "nic/hardware_time.hpp"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#include "nic/control_message.hpp"

namespace livetape::bridge {

static_assert(CMSG_SPACE(sizeof(::scm_timestamping)) == kHardwareTimeBytes);

/// A kernel or a card that has none does without.
void ask_for_hardware_times(int descriptor) noexcept {
  const int wanted = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
  (void)::setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPING, &wanted, sizeof wanted);
}

std::int64_t hardware_time_ns(::msghdr& datagram) noexcept {
  constexpr std::size_t kRawHardware = 2;  // of the three times, the card's as it told it
  const auto times = control_message<::scm_timestamping>(datagram, SCM_TIMESTAMPING);
  if (!times) return 0;
  const ::timespec& told = times->ts[kRawHardware];
  return std::int64_t{told.tv_sec} * 1'000'000'000 + told.tv_nsec;
}

}  // namespace livetape::bridge
