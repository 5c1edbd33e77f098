#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace livetape::bridge {

/// Room for what the kernel says of datagrams that it dropped.
inline constexpr std::size_t kDroppedBytes = CMSG_SPACE(sizeof(std::uint32_t));

/// Has the kernel tell with each datagram how many did not find room in the socket's buffer before it.
void ask_for_dropped(int descriptor) noexcept;

/// How many those are since the socket was opened, modulo 2^32; nothing where none was.
/// Source: socket(7), on SO_RXQ_OVFL.
[[nodiscard]] std::optional<std::uint32_t> dropped_before(::msghdr& datagram) noexcept;

}  // namespace livetape::bridge
