#include "record/packet_recorder.hpp"

#include <unistd.h>

#include <cstring>
#include <exception>
#include <utility>

#include "core/log.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;

constexpr std::uint32_t kLargestFrame = 65'535;

/// A capture's parts are in the byte order of who writes it, which the first of them tells.
struct CaptureHeader {
  std::uint32_t magic = 0xa1b23c4d;  // times in nanoseconds
  std::uint16_t major = 2;
  std::uint16_t minor = 4;
  std::int32_t zone = 0;
  std::uint32_t accuracy = 0;
  std::uint32_t longest = kLargestFrame;
  std::uint32_t link = 1;  // Ethernet
};

struct CaptureRecord {
  std::uint32_t seconds;
  std::uint32_t nanoseconds;
  std::uint32_t kept;
  std::uint32_t length;
};

template <typename Part>
void append(std::vector<std::uint8_t>& out, const Part& part) {
  const std::size_t at = out.size();
  out.resize(at + sizeof part);
  std::memcpy(out.data() + at, &part, sizeof part);
}

std::vector<std::uint8_t> capture_header() {
  std::vector<std::uint8_t> header;
  append(header, CaptureHeader{});
  return header;
}

}  // namespace

PacketRecorder::PacketRecorder(asio::io_context& context, const PacketFeedConfig& config,
                               const std::filesystem::path& folder, Rotation rotation, RecordingFailed on_failed)
    : venue_(config.venue),
      recording_(folder / config.venue, ".pcap.gz", capture_header(), rotation),
      failed_(std::move(on_failed)) {
  for (const std::string& text : config.lines) {
    const UdpAddress address = parse_udp_address(text);
    UdpSocket socket = UdpSocket::listening(address, config.interface);
    const int descriptor = ::dup(socket.descriptor());
    lines_.push_back({address, std::move(socket), asio::posix::stream_descriptor(context, descriptor)});
  }
}

void PacketRecorder::start() {
  for (Line& line : lines_) listen(line);
  log(venue_, "every line is listened to");
}

void PacketRecorder::listen(Line& line) {
  line.readable.async_wait(asio::posix::stream_descriptor::wait_read,
                           [this, &line](const boost::system::error_code& error) {
                             if (error) return;
                             read(line);
                             listen(line);
                           });
}

void PacketRecorder::read(Line& line) {
  payloads_.clear();
  line.socket.receive(payloads_);
  const std::int64_t receive_time_ns = utc_now_ns();
  for (const Payload& payload : payloads_) keep(receive_time_ns, line.address, payload.bytes);
  tell_dropped();
}

/// Once a second at the most: the recording lacks them, and nothing in it says so.
void PacketRecorder::tell_dropped() {
  constexpr std::int64_t kTellAgainNs = 1'000'000'000;
  const std::int64_t now_ns = steady_now_ns();
  if (now_ns - told_ns_ < kTellAgainNs) return;
  std::uint64_t dropped = 0;
  for (const Line& line : lines_) dropped += line.socket.dropped();
  if (dropped == dropped_) return;
  log(venue_, std::to_string(dropped - dropped_) + " datagrams came and are not in the recording: they came too fast");
  dropped_ = dropped;
  told_ns_ = now_ns;
}

void PacketRecorder::keep(std::int64_t receive_time_ns, const UdpAddress& address,
                          std::span<const std::uint8_t> payload) {
  constexpr std::int64_t kSecondNs = 1'000'000'000;
  const std::vector<std::uint8_t> frame = make_udp_frame(address, payload);
  const auto size = static_cast<std::uint32_t>(frame.size());
  record_.clear();
  append(record_, CaptureRecord{static_cast<std::uint32_t>(receive_time_ns / kSecondNs),
                                static_cast<std::uint32_t>(receive_time_ns % kSecondNs), size, size});
  record_.insert(record_.end(), frame.begin(), frame.end());
  try {
    recording_.add(receive_time_ns, record_);
  } catch (const std::exception& error) {
    failed_(error.what());
  }
}

}  // namespace livetape::bridge
