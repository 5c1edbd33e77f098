#pragma once

#include <fcntl.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <zmq.hpp>

#include "publish/file.hpp"

namespace livetape::bridge {

/// What clients say is short: a request, a subscription to a venue or an instrument, a name of at most 255 bytes.
/// ZeroMQ keeps what they subscribe to, so that whoever says more is disconnected.
constexpr std::int64_t kLongestFrame = 1'024;

/// Has a socket take an address of IPv6 where it is one. With any other it must not: a name that has addresses of both
/// kinds would be looked for at the one that nobody has bound.
inline void set_family(zmq::socket_t& socket, std::string_view address) {
  socket.set(zmq::sockopt::ipv6, address.find('[') != std::string_view::npos);
}

/// Has a socket let go of a connection whose other end is gone without a word, as a machine or a way in between that
/// lost its power.
inline void notice_the_dead(zmq::socket_t& socket) {
  constexpr int kHeartbeatMs = 5'000;
  constexpr int kTimeoutMs = 15'000;
  socket.set(zmq::sockopt::heartbeat_ivl, kHeartbeatMs);
  socket.set(zmq::sockopt::heartbeat_timeout, kTimeoutMs);
}

/// The file of an ipc address; none of any other, nor of one that has no file of its own (`@`) or a new one (`*`).
inline std::filesystem::path file_of(std::string_view address) {
  constexpr std::string_view kIpc = "ipc://";
  if (!address.starts_with(kIpc)) return {};
  address.remove_prefix(kIpc.size());
  return address.starts_with('@') || address == "*" ? std::filesystem::path() : std::filesystem::path(address);
}

/// Binds a socket that clients of other processes may say little to; the lock is to be held as long as it is bound:
/// ZeroMQ would take the file of an ipc address from another process that has it. Throws std::runtime_error that names
/// the address, and the setting that chooses it.
[[nodiscard]] inline File bind_alone(zmq::socket_t& socket, const std::string& address, std::string_view setting) {
  const auto fail = [&](const std::string& reason) {
    throw std::runtime_error("ZeroMQ cannot bind " + address + ": " + reason + ". Another bridge may run; " +
                             std::string(setting) + " chooses another address");
  };
  File lock;
  if (const std::filesystem::path file = file_of(address); !file.empty()) {
    lock = File(file.string() + ".lock", O_RDWR | O_CREAT);
    if (!lock.is_open()) fail(std::generic_category().message(errno));
    if (!lock.try_lock()) fail(std::generic_category().message(EADDRINUSE));
  }
  try {
    set_family(socket, address);
    socket.set(zmq::sockopt::maxmsgsize, kLongestFrame);
    socket.bind(address);
  } catch (const zmq::error_t& error) {
    fail(error.what());
  }
  return lock;
}

}  // namespace livetape::bridge
