#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/big_endian.hpp"

/// MoldUDP64's packets. A downstream packet is a session, the number of its first message, a count, and the messages,
/// each behind its length. A request is the same header sent to a re-request server.
namespace livetape::bridge::mold {

using Session = std::array<char, 10>;

struct Header {
  static constexpr std::size_t kBytes = 20;
  static constexpr std::uint16_t kEndOfSession = 0xffff;

  Session session{};
  std::uint64_t sequence = 0;  // of the first message; of the next one to come where there is none
  std::uint16_t count = 0;     // 0 of a heartbeat
};

/// Messages that follow each other in a packet, known to be whole.
class Messages {
 public:
  Messages() = default;
  Messages(const std::uint8_t* first, std::size_t count) noexcept : at_(first), left_(count) {}

  [[nodiscard]] bool empty() const noexcept { return left_ == 0; }
  [[nodiscard]] std::size_t count() const noexcept { return left_; }
  [[nodiscard]] std::span<const std::uint8_t> front() const noexcept { return {at_ + kLengthBytes, length()}; }
  void pop() noexcept {
    at_ += kLengthBytes + length();
    --left_;
  }

  static constexpr std::size_t kLengthBytes = 2;

 private:
  [[nodiscard]] std::size_t length() const noexcept { return read_big_endian<2>(at_); }

  const std::uint8_t* at_ = nullptr;
  std::size_t left_ = 0;
};

struct Packet {
  Header header;
  Messages messages;
};

/// The number behind a packet's messages.
[[nodiscard]] inline std::uint64_t end_of(const Packet& packet) noexcept {
  return packet.header.sequence + packet.messages.count();
}

/// Numbers are from 1 to below this: what no feed comes to, so that sums of them never overflow.
inline constexpr std::uint64_t kSequenceLimit = std::uint64_t{1} << 62;

/// Nothing when the packet is cut off, or is none.
[[nodiscard]] std::optional<Packet> parse(std::span<const std::uint8_t> payload) noexcept;

/// A request for `count` messages from `sequence` on.
[[nodiscard]] std::array<std::uint8_t, Header::kBytes> request(const Header& wanted) noexcept;

}  // namespace livetape::bridge::mold
