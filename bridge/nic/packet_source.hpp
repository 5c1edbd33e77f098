#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace livetape::bridge {

/// Payloads of UDP datagrams.
using Payloads = std::vector<std::span<const std::uint8_t>>;

/// Where a feed's packets come from. None of its calls waits.
class PacketSource {
 public:
  PacketSource() = default;
  virtual ~PacketSource() = default;
  PacketSource(const PacketSource&) = delete;
  PacketSource& operator=(const PacketSource&) = delete;

  /// Adds what has come, a burst at the most, to `out`; it is valid until the next call.
  virtual void receive(Payloads& out) = 0;
};

}  // namespace livetape::bridge
