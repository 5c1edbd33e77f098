#include "nic/moldudp64.hpp"

#include <cstring>

namespace livetape::bridge::mold {
namespace {

constexpr std::size_t kSequenceAt = 10;
constexpr std::size_t kCountAt = 18;

/// Whether so many messages are within these bytes.
bool are_whole(std::span<const std::uint8_t> bytes, std::size_t count) noexcept {
  std::size_t at = 0;
  for (; count > 0; --count) {
    if (bytes.size() - at < Messages::kLengthBytes) return false;
    const std::size_t length = read_big_endian<2>(bytes.data() + at);
    at += Messages::kLengthBytes;
    if (bytes.size() - at < length) return false;
    at += length;
  }
  return true;
}

}  // namespace

std::optional<Packet> parse(std::span<const std::uint8_t> payload) noexcept {
  if (payload.size() < Header::kBytes) return std::nullopt;
  Packet packet;
  std::memcpy(packet.header.session.data(), payload.data(), packet.header.session.size());
  packet.header.sequence = read_big_endian<8>(payload.data() + kSequenceAt);
  packet.header.count = read_big_endian<2>(payload.data() + kCountAt);
  if (packet.header.sequence == 0 || packet.header.sequence >= kSequenceLimit) return std::nullopt;
  if (packet.header.count == Header::kEndOfSession) return packet;
  const auto bytes = payload.subspan(Header::kBytes);
  if (!are_whole(bytes, packet.header.count)) return std::nullopt;
  packet.messages = Messages(bytes.data(), packet.header.count);
  return packet;
}

std::array<std::uint8_t, Header::kBytes> request(const Header& wanted) noexcept {
  std::array<std::uint8_t, Header::kBytes> bytes{};
  std::memcpy(bytes.data(), wanted.session.data(), wanted.session.size());
  write_big_endian<8>(bytes.data() + kSequenceAt, wanted.sequence);
  write_big_endian<2>(bytes.data() + kCountAt, wanted.count);
  return bytes;
}

}  // namespace livetape::bridge::mold
