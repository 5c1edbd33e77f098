#include "nic/hardware_time.hpp"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#include <cstring>

namespace livetape::bridge {

static_assert(CMSG_SPACE(sizeof(::scm_timestamping)) == kHardwareTimeBytes);

/// A kernel or a card that has none does without.
void ask_for_hardware_times(int descriptor) noexcept {
  const int wanted = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
  (void)::setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPING, &wanted, sizeof wanted);
}

std::int64_t hardware_time_ns(::msghdr& datagram) noexcept {
  constexpr std::size_t kRawHardware = 2;  // of the three times, the card's as it told it
  for (::cmsghdr* one = CMSG_FIRSTHDR(&datagram); one != nullptr; one = CMSG_NXTHDR(&datagram, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_TIMESTAMPING) continue;
    ::scm_timestamping times{};
    std::memcpy(&times, CMSG_DATA(one), sizeof times);
    return std::int64_t{times.ts[kRawHardware].tv_sec} * 1'000'000'000 + times.ts[kRawHardware].tv_nsec;
  }
  return 0;
}

}  // namespace livetape::bridge
