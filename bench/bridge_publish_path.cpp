#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "child_process.hpp"
#include "core/message_source.hpp"
#include "core/time.hpp"
#include "exchange/venue.hpp"
#include "publish/publication.hpp"

using namespace livetape::bridge;

namespace {

constexpr std::size_t kPadding = 64;  // what a session leaves behind a frame, and more than simdjson wants
constexpr std::size_t kKeptBytes = std::size_t{32} << 20;
constexpr int kHighWaterMark = 100'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr int kRounds = 6;       // of each, in turn: what disturbs the machine disturbs both
constexpr double kWarmUp = 0.2;  // of a round's messages, which are not counted

/// How long each message took from on hand to published, of some rounds at a pace.
class Paced {
 public:
  Paced(std::int64_t rate, std::size_t messages)
      : gap_ns_(kSecondNs / rate),
        messages_(messages),
        warm_up_(static_cast<std::size_t>(kWarmUp * static_cast<double>(messages))) {
    took_ns_.reserve(kRounds * messages);
  }

  /// One round: calls `send` with the number of each message when it is due, by a loop that looks at the clock.
  template <typename Send>
  void run(Send send) {
    std::int64_t due_ns = steady_now_ns();
    for (std::size_t i = 0; i < messages_; ++i, due_ns += gap_ns_) {
      while (steady_now_ns() < due_ns) {
      }
      const std::int64_t begin_ns = steady_now_ns();
      send(i, begin_ns);
      if (i >= warm_up_) took_ns_.push_back(steady_now_ns() - begin_ns);
    }
  }

  void print(const std::string& name) {
    std::ranges::sort(took_ns_);
    const auto at = [this](double share) {
      return static_cast<double>(took_ns_[static_cast<std::size_t>(share * static_cast<double>(took_ns_.size() - 1))]) /
             1e3;
    };
    std::cout << ", \"" << name << "_p50\": " << at(0.5) << ", \"" << name << "_p99\": " << at(0.99);
  }

 private:
  std::int64_t gap_ns_;
  std::size_t messages_;
  std::size_t warm_up_;
  std::vector<std::int64_t> took_ns_;
};

/// Reads all that is published.
[[noreturn]] void listen(const std::string& address) {
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

/// One round of `zmq_send` of as many bytes in one frame.
void send_bare(zmq::socket_t& socket, Paced& paced) {
  constexpr std::size_t kMessageBytes = 16 + 24 + 108;  // key, position, and value of a trade
  const std::string payload(kMessageBytes, 'x');
  paced.run([&](std::size_t, std::int64_t) { socket.send(zmq::buffer(payload), zmq::send_flags::none); });
}

/// One round of the bridge's own way: decoded, encoded and published in one thread.
void publish(PubSocket& socket, Venue& venue, Publication& publication, const std::vector<std::string>& frames,
             Paced& paced) {
  Decoded decoded;
  Message message;
  paced.run([&](std::size_t i, std::int64_t begin_ns) {
    (void)venue.decode(frames[i % frames.size()], begin_ns, decoded);
    message.trade = decoded.trades.front();
    ++message.sequence;
    publication.publish(message, socket);
  });
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
  std::vector<std::string> instruments;
  const auto venue = make_venue_of(argv[4], pairs, instruments);
  RecordEncoder encoder(std::make_shared<Instruments>(argv[4], instruments), std::string(32, '0'), {1, 2, 3, 4});
  Paced bare(rate, messages / kRounds), ours(rate, messages / kRounds);
  for (int round = 0; round < kRounds; ++round) {
    const ChildProcess subscriber([&] { listen(address); });
    zmq::context_t context(1);
    zmq::socket_t socket = heard_socket(context, address);
    send_bare(socket, bare);
    Publication publication(encoder, {}, kKeptBytes);
    PubSocket shared(std::move(socket));
    publish(shared, *venue, publication, frames, ours);
  }
  std::cout << "{\"rate\": " << rate << ", \"messages\": " << messages;
  bare.print("bare_zmq_send_us");
  ours.print("ws_frame_to_publish_us");
  std::cout << "}\n" << std::flush;
  std::quick_exit(0);
}
