#include <cstdint>
#include <span>
#include <vector>

#include "expect.hpp"
#include "nic/mold_receiver.hpp"
#include "nic/udp_frame.hpp"

/// What a receiver makes of packets: the first byte says whether there is a re-request server, then come packets, each
/// behind two bytes of length and one of the milliseconds before it, whose highest bit says that the server sent it,
/// where there is one. Whatever comes, the numbers delivered and lost are those from 1 on, each once; every packet is
/// read as an Ethernet frame as well.
using namespace livetape::bridge;
using livetape::fuzz::expect;

namespace {

/// Counts a session's messages.
class Listener final : public mold::Listener {
 public:
  std::uint64_t next = 1;
  bool has_session = false;
  bool has_server = false;

  void on_session(const mold::Session& /*session*/) override {
    has_session = true;
    next = 1;
  }
  void on_messages(mold::Messages messages, const mold::Arrival& /*arrival*/) override {
    expect(has_session, "a session begins before its messages");
    for (; !messages.empty(); messages.pop(), ++next) {
      static volatile unsigned sum = 0;
      for (const std::uint8_t byte : messages.front()) sum = sum + byte;
    }
  }
  void on_lost(std::uint64_t first, std::uint64_t end) override {
    expect(first == next && end > first, "what is lost comes next");
    next = end;
  }
  void on_end() override {}
  void on_other_session(const mold::Session& /*session*/) override {
    expect(has_session, "no session is left out for none");
  }
  void on_request(std::span<const std::uint8_t> packet) override {
    expect(has_server, "nobody is asked where nobody is");
    const auto wanted = mold::parse({packet.data(), packet.size()});
    expect(packet.size() == mold::Header::kBytes && !wanted, "a request names messages that it has not");
    expect(read_big_endian<8>(packet.data() + 10) >= next, "what has come is not asked for");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Listener listener;
  listener.has_server = (data[0] & 1) != 0;
  mold::ReceiverMetrics metrics;
  mold::Receiver receiver(listener, metrics, listener.has_server, 2);
  std::int64_t now_ns = 0;
  for (std::size_t at = 1; at + 3 <= size;) {
    const std::size_t length = std::min<std::size_t>(read_big_endian<2>(data + at), size - at - 3);
    now_ns += std::int64_t{data[at + 2] & 0x7F} * 1'000'000;
    const bool is_answer = listener.has_server && (data[at + 2] & 0x80) != 0;
    const std::span packet(data + at + 3, length);
    at += 3 + length;
    if (is_answer) {
      receiver.take_answer(packet, now_ns);
    } else {
      receiver.take(packet, now_ns);
    }
    receiver.tick(now_ns);
    expect(!listener.has_session || receiver.next_sequence() == listener.next, "what was told is what was taken");
    const UdpFrame frame = parse_udp_frame(packet);
    expect(frame.error == FrameError::none || frame.payload.empty(), "a bad frame has no payload");
    expect(frame.payload.size() <= packet.size(), "a payload is within its frame");
  }
  for (int i = 0; i < 40; ++i) receiver.tick(now_ns += mold::Receiver::kTimeoutNs);
  return 0;
}
