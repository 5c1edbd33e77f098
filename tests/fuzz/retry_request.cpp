#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "expect.hpp"
#include "publish/retry_server.hpp"

/// Any frames as a request for missed messages: each frame is behind a byte of its length, and the byte 0xff stands for
/// the session that is asked for. Whatever is asked, an answer has the shape that docs/ticks.md says, and what is in it
/// was kept.
using namespace livetape::bridge;
using livetape::fuzz::expect;

namespace {

constexpr std::uint64_t kMessages = 300;
constexpr std::size_t kRingBytes = 16 << 10;  // of which the first are not kept
constexpr std::uint8_t kSessionByte = 0xff;

SessionId the_session() {
  SessionId session;
  session.fill(7);
  return session;
}

/// A ring that has forgotten its first messages, and a server that nobody is connected to.
struct Kept {
  Metrics metrics;
  RetryRing ring{kRingBytes};
  RetryServer server{"inproc://fuzz", {{"test", the_session(), &ring, nullptr}}, metrics};

  Kept() {
    for (std::uint64_t number = 1; number <= kMessages; ++number) {
      const std::vector<std::uint8_t> value(1 + number % 90, static_cast<std::uint8_t>(number));
      ring.put(number, "test:A-B", value);
    }
  }
};

zmq::message_t frame_of(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> out;
  for (const std::uint8_t byte : bytes) {
    if (byte == kSessionByte) {
      out.insert(out.end(), sizeof(SessionId), 7);
    } else {
      out.push_back(byte);
    }
  }
  return {out.data(), out.size()};
}

void expect_got(const RetryServer::Frames& answer, const RetryRange& wanted) {
  expect(answer.size() >= 3 && answer.size() % 3 == 0 && answer[2].size() == kRangeBytes, "an answer covers a range");
  const RetryRange covered = read_range(answer[2].to_string_view());
  expect(covered.session == wanted.session && covered.first == wanted.first, "of what was asked for");
  std::uint64_t before = 0;
  for (std::size_t i = 3; i < answer.size(); i += 3) {
    expect(answer[i + 1].size() == sizeof(SessionId) + 8, "a message has a position");
    const std::uint64_t number = read_big_endian<8>(answer[i + 1].data<std::uint8_t>() + sizeof(SessionId));
    expect(number > before && number >= wanted.first && number <= covered.last && number <= wanted.last, "in order");
    expect(answer[i + 2].size() == 1 + number % 90, "and its own value");
    before = number;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Kept kept;
  RetryServer::Frames request;
  for (std::size_t at = 0; at < size;) {
    const std::size_t length = std::min<std::size_t>(data[at], size - at - 1);
    request.push_back(frame_of({data + at + 1, length}));
    at += 1 + length;
  }
  const std::uint64_t bad = kept.metrics.bad_retries;
  const auto answer = kept.server.answer(request);
  expect(answer.empty() || kept.metrics.bad_retries == bad, "a request is answered, or counted");
  if (answer.empty()) return 0;
  expect(answer.size() >= 2 && answer[0].to_string_view() == request[0].to_string_view(), "the client is answered");
  if (answer[1].to_string_view() == "got") expect_got(answer, read_range(request[2].to_string_view()));
  return 0;
}
