#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "core/message_source.hpp"
#include "core/time.hpp"
#include "exchange/venue.hpp"
#include "publish/publication.hpp"
#include "publish/publisher_thread.hpp"

using namespace livetape::bridge;

namespace {

constexpr std::size_t kPadding = 64;  // what a session leaves behind a frame, and more than simdjson wants
constexpr std::size_t kRingMessages = std::size_t{1} << 16;
constexpr std::size_t kKeptBytes = std::size_t{32} << 20;
constexpr std::chrono::microseconds kSpin{50};
constexpr int kHighWaterMark = 100'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr double kWarmUp = 0.2;  // of the messages, which are not counted

/// When each message is due, and how long it took from then on hand to published.
class Paced {
 public:
  Paced(std::int64_t rate, std::size_t messages) : gap_ns_(kSecondNs / rate), took_ns_(messages) {}

  /// Calls `send` with the number of each message when it is due, by a loop that looks at the clock.
  template <typename Send>
  void run(Send send) {
    std::int64_t due_ns = steady_now_ns();
    for (std::size_t i = 0; i < took_ns_.size(); ++i, due_ns += gap_ns_) {
      while (steady_now_ns() < due_ns) {
      }
      send(i);
    }
  }

  void took(std::size_t message, std::int64_t ns) noexcept { took_ns_[message] = ns; }

  void print(const std::string& name) {
    took_ns_.erase(took_ns_.begin(),
                   took_ns_.begin() + static_cast<std::ptrdiff_t>(kWarmUp * static_cast<double>(took_ns_.size())));
    std::ranges::sort(took_ns_);
    const auto at = [this](double share) {
      return static_cast<double>(took_ns_[static_cast<std::size_t>(share * static_cast<double>(took_ns_.size() - 1))]) /
             1e3;
    };
    std::cout << ", \"" << name << "_p50\": " << at(0.5) << ", \"" << name << "_p99\": " << at(0.99);
  }

 private:
  std::int64_t gap_ns_;
  std::vector<std::int64_t> took_ns_;
};

/// A process that reads all that is published, until the benchmark ends.
void fork_subscriber(const std::string& address) {
  if (fork() != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  zmq::context_t context(1);
  zmq::socket_t socket(context, zmq::socket_type::sub);
  socket.set(zmq::sockopt::rcvhwm, 0);
  socket.set(zmq::sockopt::subscribe, "");
  socket.connect(address);
  for (zmq::message_t message;;) (void)socket.recv(message);
}

/// A PUB socket that has its subscriber.
zmq::socket_t heard_socket(zmq::context_t& context, const std::string& address) {
  zmq::socket_t socket(context, zmq::socket_type::xpub);  // a PUB that can tell
  socket.set(zmq::sockopt::sndhwm, kHighWaterMark);
  socket.set(zmq::sockopt::linger, 0);
  socket.bind(address);
  zmq::message_t subscription;
  (void)socket.recv(subscription);
  return socket;
}

/// `zmq_send` of as many bytes in one frame, at the same pace.
void bare(zmq::socket_t& socket, std::int64_t rate, std::size_t messages, std::size_t bytes) {
  const std::string payload(bytes, 'x');
  Paced paced(rate, messages);
  paced.run([&](std::size_t i) {
    const std::int64_t begin_ns = steady_now_ns();
    socket.send(zmq::buffer(payload), zmq::send_flags::none);
    paced.took(i, steady_now_ns() - begin_ns);
  });
  paced.print("bare_zmq_send_us");
}

/// The bridge's own way: decoded in one thread, over a ring, encoded and published in another.
void ours(zmq::socket_t& socket, std::string_view venue_name, std::span<char* const> pairs,
          const std::vector<std::string>& frames, std::int64_t rate, std::size_t messages,
          std::chrono::nanoseconds spin, const std::string& name) {
  std::vector<std::string> instruments;
  const auto venue = make_venue_of(venue_name, pairs, instruments);
  const auto its_instruments = std::make_shared<Instruments>(std::string(venue_name), instruments);
  Publication publication(RecordEncoder(its_instruments, std::string(32, '0'), SchemaIds{1, 2, 3, 4}), {}, kKeptBytes);
  MessageRing ring(kRingMessages);
  Paced paced(rate, messages);
  PublisherThread publisher(
      "zeromq", {&ring},
      [&](std::size_t, const Message& message) {
        publication.publish(message, socket);
        paced.took(message.sequence - 1, steady_now_ns() - message.trade.receive_time_ns);
      },
      [] {}, {}, spin);
  Decoded decoded;
  Message message;
  paced.run([&](std::size_t i) {
    (void)venue->decode(frames[i % frames.size()], steady_now_ns(), decoded);
    message.trade = decoded.trades.front();
    message.sequence = i + 1;
    while (!ring.push(message)) {
    }
  });
  publisher.stop();
  paced.print(name);
}

}  // namespace

/// Times trades of a venue's frames, from standard input, one a line, from a frame on hand to its trade on ZeroMQ,
/// beside bare sends of the same bytes; prints JSON.
int main(int argc, char** argv) {
  if (argc < 6) {
    std::cerr << "usage: bridge-publish-bench ADDRESS RATE MESSAGES VENUE INSTRUMENT=SYMBOL... < FRAMES\n";
    return 2;
  }
  const std::string address = argv[1];
  const std::int64_t rate = std::stoll(argv[2]);
  const auto messages = static_cast<std::size_t>(std::stoll(argv[3]));
  const std::span<char* const> pairs(argv + 5, argv + argc);
  std::vector<std::string> frames;
  for (std::string line; std::getline(std::cin, line);) {
    frames.push_back(line);
    frames.back().reserve(line.size() + kPadding);
  }
  fork_subscriber(address);
  zmq::context_t context(1);
  zmq::socket_t socket = heard_socket(context, address);
  constexpr std::size_t kMessageBytes = 16 + 24 + 108;  // key, position, and value of a trade
  std::cout << "{\"rate\": " << rate << ", \"messages\": " << messages;
  bare(socket, rate, messages, kMessageBytes);
  ours(socket, argv[4], pairs, frames, rate, messages, kSpin, "ws_frame_to_publish_us");
  ours(socket, argv[4], pairs, frames, rate, messages, {}, "ws_frame_to_publish_asleep_us");
  std::cout << "}\n" << std::flush;
  std::quick_exit(0);
}
