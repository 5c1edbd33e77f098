#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <zmq.hpp>

#include "core/big_endian.hpp"
#include "core/trade.hpp"
#include "publish/position.hpp"

namespace livetape::bridge {

/// Address of the one client that may confirm. ZeroMQ lets no second client have it, so that a venue has one relay.
constexpr std::string_view kRelayAddress = "livetape-relay";

/// A session and two numbers of it, as they stand in requests and answers.
struct RetryRange {
  SessionId session;
  std::uint64_t first;
  std::uint64_t last;
};

constexpr std::size_t kRangeBytes = sizeof(SessionId) + 2 * sizeof(std::uint64_t);

/// There must be `kRangeBytes`.
[[nodiscard]] inline RetryRange read_range(std::string_view bytes) noexcept {
  const auto* const numbers = reinterpret_cast<const std::uint8_t*>(bytes.data()) + sizeof(SessionId);
  return {session_in(bytes), read_big_endian<8>(numbers), read_big_endian<8>(numbers + sizeof(std::uint64_t))};
}

[[nodiscard]] inline zmq::message_t write_range(const RetryRange& range) {
  zmq::message_t frame(kRangeBytes);
  auto* const out = frame.data<std::uint8_t>();
  std::ranges::copy(range.session, out);
  write_big_endian<8>(out + sizeof(SessionId), range.first);
  write_big_endian<8>(out + sizeof(SessionId) + sizeof(std::uint64_t), range.last);
  return frame;
}

}  // namespace livetape::bridge
