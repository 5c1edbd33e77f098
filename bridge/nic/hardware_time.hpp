#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <ctime>

namespace livetape::bridge {

/// Room for what the kernel says of a datagram's times: `struct scm_timestamping`, three of them.
inline constexpr std::size_t kHardwareTimeBytes = CMSG_SPACE(3 * sizeof(::timespec));

/// Has the kernel pass on the network card's own times of receiving, where the card is set to take them
/// (`hwstamp_ctl`).
void ask_for_hardware_times(int descriptor) noexcept;

/// The card's time of a datagram, in nanoseconds since 1970 as far as the card's clock is set; 0 where it told none.
/// Source: the kernel's documentation "Timestamping", on SO_TIMESTAMPING and `struct scm_timestamping`.
[[nodiscard]] std::int64_t hardware_time_ns(::msghdr& datagram) noexcept;

}  // namespace livetape::bridge
