#include "nic/udp_frame.hpp"

#include <cstdint>
#include <span>
#include <vector>

#include "expect.hpp"

/// Any bytes as an Ethernet frame. The first byte says whether the sum of its IPv4 header is made right before, else
/// little behind that check would be reached.
using namespace livetape::bridge;
using livetape::fuzz::expect;

namespace {

constexpr std::size_t kSumAt = 10;

/// The sum of the header that begins there, where one may be.
void mend(std::span<std::uint8_t> frame, std::size_t ip) {
  if (frame.size() < ip + 20) return;
  const std::size_t bytes = std::size_t{frame[ip] & 0x0fU} * 4;
  if (bytes < 20 || frame.size() < ip + bytes) return;
  frame[ip + kSumAt] = frame[ip + kSumAt + 1] = 0;
  std::uint32_t sum = 0;
  for (std::size_t at = 0; at < bytes; at += 2) sum += std::uint32_t{frame[ip + at]} << 8 | frame[ip + at + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  frame[ip + kSumAt] = static_cast<std::uint8_t>(~sum >> 8);
  frame[ip + kSumAt + 1] = static_cast<std::uint8_t>(~sum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<std::uint8_t> bytes(data + 1, data + size);
  constexpr std::size_t kPlain = 14;
  constexpr std::size_t kTag = 4;
  if (data[0] != 0) mend(bytes, kPlain + data[0] % 3 * kTag);
  const UdpFrame frame = parse_udp_frame(bytes);
  expect(!name_of(frame.error).empty(), "an error has a name");
  expect(frame.error == FrameError::none || frame.payload.empty(), "a bad frame has no payload");
  if (frame.payload.empty()) return 0;
  const std::uint8_t* const end = bytes.data() + bytes.size();
  expect(frame.payload.data() >= bytes.data() && frame.payload.data() + frame.payload.size() <= end,
         "a payload is within its frame");
  return 0;
}
