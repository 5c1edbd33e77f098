#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "core/big_endian.hpp"
#include "core/trade.hpp"

namespace livetape::bridge {

/// Second frame of a message on ZeroMQ: the session's 16 bytes, then the message's number in it, big-endian.
using Position = std::array<std::uint8_t, sizeof(SessionId) + sizeof(std::uint64_t)>;

[[nodiscard]] inline Position position_of(const SessionId& session, std::uint64_t sequence) noexcept {
  Position position{};
  std::ranges::copy(session, position.begin());
  write_big_endian<8>(position.data() + session.size(), sequence);
  return position;
}

/// The session that stands at the beginning of these bytes; there must be 16.
[[nodiscard]] inline SessionId session_in(std::string_view bytes) noexcept {
  SessionId session{};
  std::copy_n(bytes.begin(), session.size(), session.begin());
  return session;
}

}  // namespace livetape::bridge
