#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <csignal>
#include <deque>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "core/log.hpp"
#include "core/time.hpp"
#include "record/packet_recorder.hpp"
#include "record/venue_recorder.hpp"

using namespace livetape::bridge;
namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kFlushEvery{1};

/// Records every venue and packet feed of the configuration, in one thread, until it is stopped or the disk is full.
class Recorder {
 public:
  Recorder(const Config& config, const std::filesystem::path& folder, Rotation rotation) {
    const auto on_failed = [this](std::string_view reason) { fail(reason); };
    for (const VenueConfig& venue : config.venues) {
      auto& recorder = venues_.emplace_back(context_, venue, config.silence, folder, rotation, on_failed);
      recordings_.emplace_back(recorder.recording());
    }
    for (const PacketFeedConfig& feed : config.packet_feeds) {
      recordings_.emplace_back(feeds_.emplace_back(context_, feed, folder, rotation, on_failed).recording());
    }
  }

  /// Whether all that came is in files that are whole.
  bool run() {
    asio::signal_set signals(context_, SIGINT, SIGTERM);
    signals.async_wait([this](const auto&, int) { context_.stop(); });
    for (VenueRecorder& venue : venues_) venue.start();
    for (PacketRecorder& feed : feeds_) feed.start();
    asio::co_spawn(context_, tick(), asio::detached);
    context_.run();
    for (Recording& recording : recordings_) guarded([&] { recording.finish(); });
    return !has_failed_;
  }

 private:
  asio::awaitable<void> tick() {
    asio::steady_timer timer(context_);
    for (;;) {
      timer.expires_after(kFlushEvery);
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
      const std::int64_t now_ns = utc_now_ns();
      for (Recording& recording : recordings_) guarded([&] { recording.tick(now_ns); });
    }
  }

  template <typename Work>
  void guarded(Work work) {
    try {
      work();
    } catch (const std::exception& error) {
      fail(error.what());
    }
  }

  void fail(std::string_view reason) {
    if (!has_failed_) log("record", reason);
    has_failed_ = true;
    context_.stop();
  }

  asio::io_context context_{1};
  std::deque<VenueRecorder> venues_;
  std::deque<PacketRecorder> feeds_;
  std::vector<std::reference_wrapper<Recording>> recordings_;
  bool has_failed_ = false;
};

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0) {
    throw std::runtime_error("a number above 0 is wanted, and not " + std::string(text));
  }
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kArguments = 6;
  if (argc != kArguments || std::string_view(argv[1]) != "--config") {
    std::cerr << "usage: livetape-record --config FILE.json FOLDER SECONDS BYTES\n";
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);  // a reader of our log or a socket that goes is an error code, not the end
  try {
    const Rotation rotation{std::chrono::seconds(number(argv[4])), number(argv[5])};
    Recorder recorder(read_config(argv[2]), argv[3], rotation);
    const bool is_whole = recorder.run();
    std::quick_exit(is_whole ? EXIT_SUCCESS : EXIT_FAILURE);  // else a name look-up that hangs would be waited for
  } catch (const std::exception& error) {
    std::cerr << "livetape-record: " << error.what() << '\n';
    return 1;
  }
}
