#include "nic/udp_frame.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/big_endian.hpp"

namespace livetape::bridge {
namespace {

using Bytes = std::vector<std::uint8_t>;

void mend_checksum(Bytes& frame, std::size_t ip, std::size_t header_bytes) {
  write_big_endian<2>(&frame[ip + 10], 0);
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < header_bytes; at += 2) sum += read_big_endian<2>(&frame[ip + at]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  write_big_endian<2>(&frame[ip + 10], ~sum);
}

/// `payload` to 239.1.2.3:26400, behind so many VLAN tags and with so many words of IP options; the card's padding
/// last.
Bytes frame_of(const std::string& payload, std::size_t tags = 0, std::size_t options = 0) {
  Bytes frame(12, 0x01);
  for (std::size_t i = 0; i < tags; ++i) {
    for (const int byte : {0x81, 0x00, 0x00, 0x05}) frame.push_back(static_cast<std::uint8_t>(byte));
  }
  const std::size_t ip = frame.size() + 2;
  const std::size_t header_bytes = 20 + 4 * options;
  frame.resize(ip + header_bytes + 8);
  write_big_endian<2>(&frame[ip - 2], 0x0800);
  frame[ip] = static_cast<std::uint8_t>(0x40 | (header_bytes / 4));
  write_big_endian<2>(&frame[ip + 2], header_bytes + 8 + payload.size());
  write_big_endian<2>(&frame[ip + 6], 0x4000);  // not to be fragmented
  frame[ip + 9] = 17;
  write_big_endian<4>(&frame[ip + 16], 0xef010203);
  write_big_endian<2>(&frame[ip + header_bytes + 2], 26'400);
  write_big_endian<2>(&frame[ip + header_bytes + 4], 8 + payload.size());
  frame.insert(frame.end(), payload.begin(), payload.end());
  mend_checksum(frame, ip, header_bytes);
  frame.resize(frame.size() + 6);
  return frame;
}

TEST(UdpFrame, IsMadeAsItIsRead) {
  for (const UdpAddress address : {UdpAddress{0xef010203, 26'400}, UdpAddress{0x7f000001, 1}}) {
    const Bytes payload{1, 2, 3};
    const Bytes made = make_udp_frame(address, payload);
    const UdpFrame frame = parse_udp_frame(made);
    ASSERT_EQ(frame.error, FrameError::none);
    EXPECT_EQ(frame.destination, address);
    EXPECT_EQ(Bytes(frame.payload.begin(), frame.payload.end()), payload);
  }
  const Bytes group = make_udp_frame({0xef810203, 1}, {});
  EXPECT_EQ(Bytes(group.begin(), group.begin() + 6), (Bytes{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}));
}

TEST(UdpFrame, IsReadBehindTagsAndOptionsAndWithoutPadding) {
  for (std::size_t tags = 0; tags <= 2; ++tags) {
    for (std::size_t options = 0; options <= 10; ++options) {
      const Bytes bytes = frame_of("payload", tags, options);
      const UdpFrame frame = parse_udp_frame(bytes);
      ASSERT_EQ(frame.error, FrameError::none);
      EXPECT_EQ(frame.destination, (UdpAddress{0xef010203, 26'400}));
      EXPECT_TRUE(frame.destination.is_multicast());
      EXPECT_EQ(std::string(frame.payload.begin(), frame.payload.end()), "payload");
    }
  }
}

TEST(UdpFrame, MayHaveNoPayload) {
  const Bytes bytes = frame_of("");
  EXPECT_EQ(parse_udp_frame(bytes).error, FrameError::none);
  EXPECT_TRUE(parse_udp_frame(bytes).payload.empty());
}

TEST(UdpFrame, IsRefusedWhenItIsCutOff) {
  const Bytes whole = frame_of("payload");
  for (std::size_t size = 0; size < whole.size() - 6; ++size) {
    EXPECT_EQ(parse_udp_frame({whole.data(), size}).error, FrameError::truncated) << size;
  }
}

TEST(UdpFrame, SaysWhyItIsRefused) {
  constexpr std::size_t kIp = 14;
  const auto error_of = [](const std::function<void(Bytes&)>& spoil, bool mends) {
    Bytes bytes = frame_of("payload");
    spoil(bytes);
    if (mends) mend_checksum(bytes, kIp, 20);
    return parse_udp_frame(bytes).error;
  };
  EXPECT_EQ(error_of([](Bytes& b) { b[13] = 0x06; }, true), FrameError::not_ipv4_udp);    // ARP
  EXPECT_EQ(error_of([](Bytes& b) { b[kIp + 9] = 6; }, true), FrameError::not_ipv4_udp);  // TCP
  EXPECT_EQ(error_of([](Bytes& b) { b[kIp] = 0x65; }, true), FrameError::bad_header);     // version 6
  EXPECT_EQ(error_of([](Bytes& b) { b[kIp] = 0x44; }, true), FrameError::bad_header);     // a header of 16 bytes
  EXPECT_EQ(error_of([](Bytes& b) { b[kIp + 3] = 19; }, true), FrameError::bad_header);   // less than the header
  EXPECT_EQ(error_of([](Bytes& b) { b[kIp + 17] ^= 1; }, false), FrameError::bad_checksum);
  EXPECT_EQ(error_of([](Bytes& b) { b[kIp + 6] |= 0x20; }, true), FrameError::fragment);  // more to come
  EXPECT_EQ(error_of([](Bytes& b) { b[kIp + 7] = 1; }, true), FrameError::fragment);      // not the first
  EXPECT_EQ(error_of([](Bytes& b) { b[kIp + 25] = 7; }, true), FrameError::bad_header);   // less than UDP's header
  EXPECT_EQ(error_of([](Bytes& b) { b[kIp + 25] = 99; }, true), FrameError::bad_header);  // more than IP's
  Bytes tagged = frame_of("payload", 3);
  EXPECT_EQ(parse_udp_frame(tagged).error, FrameError::not_ipv4_udp);
}

TEST(UdpFrame, HasANameForEachError) {
  for (std::size_t error = 0; error < kFrameErrorCount; ++error)
    EXPECT_FALSE(name_of(static_cast<FrameError>(error)).empty());
}

}  // namespace
}  // namespace livetape::bridge
