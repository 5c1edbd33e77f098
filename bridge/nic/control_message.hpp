#pragma once

#include <sys/socket.h>

#include <cstring>
#include <optional>

namespace livetape::bridge {

/// What the kernel tells of a datagram beside it, at the level of sockets and of this type; nothing where it does not.
/// Source: cmsg(3).
template <typename T>
[[nodiscard]] std::optional<T> control_message(::msghdr& datagram, int type) noexcept {
  for (::cmsghdr* one = CMSG_FIRSTHDR(&datagram); one != nullptr; one = CMSG_NXTHDR(&datagram, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != type) continue;
    T told{};
    std::memcpy(&told, CMSG_DATA(one), sizeof told);
    return told;
  }
  return std::nullopt;
}

}  // namespace livetape::bridge
