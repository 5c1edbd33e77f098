#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "nic/udp_socket.hpp"
#include "record/venue_recorder.hpp"

namespace livetape::bridge {

/// Keeps the datagrams of every line of a packet feed as a capture with times in nanoseconds: each in an Ethernet frame
/// that is made for it and carries the line's address. They are read by the kernel's sockets.
class PacketRecorder {
 public:
  /// Throws std::runtime_error for a line that cannot be heard, and a folder that nothing can be written in.
  PacketRecorder(boost::asio::io_context& context, const PacketFeedConfig& config, const std::filesystem::path& folder,
                 Rotation rotation, RecordingFailed on_failed);

  void start();
  [[nodiscard]] Recording& recording() noexcept { return recording_; }

 private:
  struct Line {
    UdpAddress address;
    UdpSocket socket;
    boost::asio::posix::stream_descriptor readable;  // a descriptor of its own of the same socket
  };

  void listen(Line& line);
  void read(Line& line);
  void tell_dropped();
  void keep(std::int64_t receive_time_ns, const UdpAddress& address, std::span<const std::uint8_t> payload);

  std::string venue_;
  Recording recording_;
  RecordingFailed failed_;
  std::deque<Line> lines_;
  Payloads payloads_;          // of one burst
  std::uint64_t dropped_ = 0;  // as it was told last
  std::int64_t told_ns_ = 0;   // and when
  std::vector<std::uint8_t> record_;
};

}  // namespace livetape::bridge
