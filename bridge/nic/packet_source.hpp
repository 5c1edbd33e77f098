#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace livetape::bridge {

/// What a UDP datagram brought.
struct Payload {
  std::span<const std::uint8_t> bytes;
  std::int64_t hardware_time_ns = 0;  // when it came, by the network card's own clock; 0: it told none
  std::size_t line = 0;               // of the feed's lines, by their order in its configuration
};
using Payloads = std::vector<Payload>;

/// Where a feed's packets come from. None of its calls waits.
class PacketSource {
 public:
  PacketSource() = default;
  virtual ~PacketSource() = default;
  PacketSource(const PacketSource&) = delete;
  PacketSource& operator=(const PacketSource&) = delete;

  /// Adds what has come, a burst at the most, to `out`; it is valid until the next call.
  virtual void receive(Payloads& out) = 0;
  /// How many datagrams have come and were dropped before they could be received.
  [[nodiscard]] virtual std::uint64_t dropped() const noexcept = 0;
};

}  // namespace livetape::bridge
