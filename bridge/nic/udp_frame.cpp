#include "nic/udp_frame.hpp"

#include <algorithm>
#include <array>

#include "core/big_endian.hpp"

namespace livetape::bridge {
namespace {

constexpr std::size_t kMacBytes = 12;
constexpr std::size_t kEtherTypeBytes = 2;
constexpr std::size_t kVlanTagBytes = 4;
constexpr std::size_t kLeastIpBytes = 20;
constexpr std::size_t kUdpBytes = 8;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint16_t kIpv4 = 0x0800;
constexpr std::uint16_t kFragmentBits = 0x3fff;  // more to come, or not the first

bool is_vlan(std::uint16_t type) noexcept { return type == 0x8100 || type == 0x88a8; }

UdpFrame failed(FrameError error) noexcept { return {error, {}, {}}; }

/// The ones' complement sum of a header; with its checksum it is all ones.
std::uint16_t sum_of(std::span<const std::uint8_t> header) noexcept {
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < header.size(); at += 2) sum += read_big_endian<2>(header.data() + at);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

UdpFrame parse_udp(std::uint32_t host, std::span<const std::uint8_t> udp) noexcept {
  if (udp.size() < kUdpBytes) return failed(FrameError::truncated);
  const std::size_t length = read_big_endian<2>(udp.data() + 4);
  if (length < kUdpBytes || length > udp.size()) return failed(FrameError::bad_header);
  const UdpAddress destination{host, read_big_endian<2>(udp.data() + 2)};
  return {FrameError::none, destination, udp.subspan(kUdpBytes, length - kUdpBytes)};
}

UdpFrame parse_ipv4(std::span<const std::uint8_t> ip) noexcept {
  if (ip.size() < kLeastIpBytes) return failed(FrameError::truncated);
  const std::size_t header_bytes = std::size_t{ip[0] & 0x0fU} * 4;
  const std::size_t length = read_big_endian<2>(ip.data() + 2);
  if (ip[0] >> 4 != 4 || header_bytes < kLeastIpBytes || length < header_bytes) return failed(FrameError::bad_header);
  if (length > ip.size()) return failed(FrameError::truncated);
  if (ip[9] != kUdp) return failed(FrameError::not_ipv4_udp);
  if (sum_of(ip.first(header_bytes)) != 0xffff) return failed(FrameError::bad_checksum);
  if ((read_big_endian<2>(ip.data() + 6) & kFragmentBits) != 0) return failed(FrameError::fragment);
  return parse_udp(read_big_endian<4>(ip.data() + 16), ip.subspan(header_bytes, length - header_bytes));
}

}  // namespace

std::string_view name_of(FrameError error) noexcept {
  constexpr std::array<std::string_view, kFrameErrorCount> kNames{"none",       "truncated",    "not_ipv4_udp",
                                                                  "bad_header", "bad_checksum", "fragment"};
  return kNames.at(static_cast<std::size_t>(error));
}

UdpFrame parse_udp_frame(std::span<const std::uint8_t> frame) noexcept {
  std::size_t at = kMacBytes;
  for (int tags = 0;; ++tags, at += kVlanTagBytes) {
    if (frame.size() < at + kEtherTypeBytes) return failed(FrameError::truncated);
    const std::uint16_t type = read_big_endian<2>(frame.data() + at);
    if (type == kIpv4) return parse_ipv4(frame.subspan(at + kEtherTypeBytes));
    if (!is_vlan(type) || tags == 2) return failed(FrameError::not_ipv4_udp);
  }
}

std::vector<std::uint8_t> make_udp_frame(const UdpAddress& destination, std::span<const std::uint8_t> payload) {
  constexpr std::size_t kIpAt = kMacBytes + kEtherTypeBytes;
  constexpr std::size_t kUdpAt = kIpAt + kLeastIpBytes;
  constexpr std::size_t kPayloadAt = kUdpAt + kUdpBytes;
  std::vector<std::uint8_t> frame(kPayloadAt + payload.size());
  std::uint8_t* const ip = frame.data() + kIpAt;
  std::uint8_t* const udp = frame.data() + kUdpAt;
  if (destination.is_multicast()) {  // a group's own address, with the lower 23 bits of IPv4's
    write_big_endian<3>(frame.data(), 0x01005e);
    write_big_endian<3>(frame.data() + 3, destination.host & 0x7fffff);
  }
  write_big_endian<2>(frame.data() + kMacBytes, kIpv4);
  ip[0] = 0x45;  // version 4, five words
  write_big_endian<2>(ip + 2, kLeastIpBytes + kUdpBytes + payload.size());
  ip[8] = 1;  // hops to live
  ip[9] = kUdp;
  write_big_endian<4>(ip + 16, destination.host);
  write_big_endian<2>(ip + 10, static_cast<std::uint16_t>(~sum_of({ip, kLeastIpBytes})));
  write_big_endian<2>(udp + 2, destination.port);
  write_big_endian<2>(udp + 4, kUdpBytes + payload.size());
  std::ranges::copy(payload, frame.begin() + kPayloadAt);
  return frame;
}

}  // namespace livetape::bridge
