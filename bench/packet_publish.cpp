#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "child_process.hpp"
#include "core/time.hpp"
#include "nic/packet_feed.hpp"
#include "publish/publisher_thread.hpp"
#include "publish/record.hpp"
#include "publish/zeromq_publisher.hpp"

using namespace livetape::bridge;

namespace {

constexpr std::size_t kRounds = 6;  // of each, in turn: what disturbs the machine disturbs both
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kWarmUpNs = kSecondNs / 2;
constexpr std::int64_t kRoundNs = 2 * kSecondNs;
constexpr std::int64_t kSettleNs = kSecondNs / 5;  // for a subscription to arrive

/// Times of one round's messages, in steady nanoseconds, by number: in hand, published, with the subscriber. In memory
/// that the subscriber's process shares.
class Times {
 public:
  explicit Times(std::size_t messages) : messages_(messages) {
    void* const memory = ::mmap(nullptr, 3 * messages * sizeof(std::int64_t), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    at_ = static_cast<std::int64_t*>(memory);
  }
  ~Times() { ::munmap(at_, 3 * messages_ * sizeof(std::int64_t)); }
  Times(const Times&) = delete;
  Times& operator=(const Times&) = delete;

  std::span<std::int64_t> in_hand() const { return {at_, messages_}; }
  std::span<std::int64_t> published() const { return {at_ + messages_, messages_}; }
  std::span<std::int64_t> heard() const { return {at_ + 2 * messages_, messages_}; }

 private:
  std::size_t messages_;
  std::int64_t* at_ = nullptr;
};

/// A subscriber, which notes when each message came. A message says its number in its last eight bytes but for those of
/// the value, or in its second frame.
[[noreturn]] void listen(const std::string& address, std::span<std::int64_t> heard) {
  zmq::context_t context(1);
  zmq::socket_t socket(context, zmq::socket_type::sub);
  socket.set(zmq::sockopt::rcvhwm, 0);
  socket.set(zmq::sockopt::subscribe, "");
  socket.connect(address);
  for (;;) {
    zmq::message_t first, position;
    (void)socket.recv(first);
    std::uint64_t number = 0;
    if (first.more()) {
      (void)socket.recv(position);
      for (zmq::message_t rest; socket.get(zmq::sockopt::rcvmore);) (void)socket.recv(rest);
      number = read_big_endian<8>(static_cast<const std::uint8_t*>(position.data()) + sizeof(SessionId));
    } else {
      number = read_big_endian<8>(static_cast<const std::uint8_t*>(first.data()));
    }
    if (number <= heard.size()) heard[number - 1] = steady_now_ns();
  }
}

/// Says when the next messages are due, and how many: more than one where the last took too long.
class Pace {
 public:
  Pace(std::int64_t rate, std::size_t messages) : every_ns_(kSecondNs / rate), messages_(messages) {}

  static constexpr std::size_t kBurst = 64;

  [[nodiscard]] bool is_over() const noexcept { return sent_ == messages_; }
  /// Notes that those that are due are in hand now, a burst of them at the most; how many they are.
  std::size_t take(std::span<std::int64_t> in_hand) noexcept {
    const std::int64_t now_ns = steady_now_ns();
    if (start_ns_ == 0) start_ns_ = now_ns;
    const auto due = static_cast<std::size_t>((now_ns - start_ns_) / every_ns_) + 1;
    const std::size_t count = std::min(std::min(due, messages_) - sent_, kBurst);
    std::ranges::fill(in_hand.subspan(sent_, count), now_ns);
    sent_ += count;
    return count;
  }

 private:
  std::int64_t every_ns_;
  std::size_t messages_;
  std::atomic<std::size_t> sent_{0};
  std::int64_t start_ns_ = 0;
};

constexpr std::uint8_t kLocate = 1;

/// A feed's packets of one hidden trade each, at a pace.
class PacedPackets final : public PacketSource {
 public:
  PacedPackets(Pace& pace, const Times& times) : pace_(pace), times_(times) {
    packet_.resize(mold::Header::kBytes + 2 + itch::HiddenTrade::kBytes);
    packets_.assign(Pace::kBurst, packet_);
  }

  void receive(Payloads& out) override {
    if (!is_named_) {
      is_named_ = true;
      out.emplace_back(directory());
      return;
    }
    const std::size_t count = pace_.take(times_.in_hand());
    for (std::size_t i = 0; i < count; ++i) out.emplace_back(write(packets_[i]));
  }
  [[nodiscard]] std::uint64_t dropped() const noexcept override { return 0; }

 private:
  static void write_header(std::uint8_t* at, std::uint64_t sequence) {
    std::fill_n(at, 10, 'S');
    write_big_endian<8>(at + 10, sequence);
    write_big_endian<2>(at + 18, 1);
  }
  std::span<const std::uint8_t> directory() {
    directory_.assign(mold::Header::kBytes + 2 + itch::StockDirectory::kBytes, ' ');
    write_header(directory_.data(), 1);
    std::uint8_t* const block = directory_.data() + mold::Header::kBytes;
    write_big_endian<2>(block, itch::StockDirectory::kBytes);
    block[2] = 'R';
    write_big_endian<2>(block + 3, kLocate);
    write_big_endian<6>(block + 7, 1);
    std::copy_n("AAPL", 4, block + 2 + 11);
    write_big_endian<4>(block + 2 + 21, 100);
    return directory_;
  }
  std::span<const std::uint8_t> write(std::vector<std::uint8_t>& packet) {
    ++sequence_;
    write_header(packet.data(), sequence_ + 1);
    std::uint8_t* const block = packet.data() + mold::Header::kBytes;
    write_big_endian<2>(block, itch::HiddenTrade::kBytes);
    block[2] = 'P';
    write_big_endian<2>(block + 3, kLocate);
    write_big_endian<6>(block + 7, 34'200'000'000'000 + sequence_);
    write_big_endian<4>(block + 2 + 20, 100);
    write_big_endian<4>(block + 2 + 32, 1'895'500);
    write_big_endian<8>(block + 2 + 36, sequence_);
    return packet;
  }

  Pace& pace_;
  const Times& times_;
  std::vector<std::uint8_t> packet_;
  std::vector<std::vector<std::uint8_t>> packets_;
  std::vector<std::uint8_t> directory_;
  std::uint64_t sequence_ = 0;
  bool is_named_ = false;
};

/// The feed as a source, with a note of when each of its messages was published.
MessageSource noted(PacketFeed& feed, const Times& times) {
  MessageSource source = feed.source();
  source.publish_by = [&](PublishAtOnce publish) {
    feed.publish_by([&times, publish = std::move(publish)](const Message& message) {
      publish(message);
      // Numbers are those of the packets only while nothing but trades is published.
      if (message.kind != Message::Kind::trade) throw std::logic_error("a clock among the trades");
      times.published()[message.sequence - 1] = steady_now_ns();
    });
  };
  return source;
}

void wait_ns(std::int64_t ns) { std::this_thread::sleep_for(std::chrono::nanoseconds(ns)); }

Config config_of(const std::string& address) {
  Config config;
  config.schema_ids = {1, 2, 3, 4};
  config.zeromq_data = address;
  config.errors_dir = std::filesystem::temp_directory_path() / ("packet-publish-errors-" + std::to_string(::getpid()));
  config.clock_interval = std::chrono::hours(24);  // a clock would be a message more
  PacketFeedConfig& feed = config.packet_feeds.emplace_back();
  feed.venue = "nasdaq";
  feed.lines = {"paced"};  // its packets are of the first line
  feed.currency = "USD";
  feed.utc_offsets = {{0, 0}};
  feed.orders = 1'000'000;
  feed.dpdk = "";  // polled
  return config;
}

/// The bridge's own classes from the packet on, with a thread that empties Kafka's ring as its publisher does.
void run_bridge(const std::string& address, std::int64_t rate, const Times& times) {
  const Config config = config_of(address);
  Metrics metrics;
  Pace pace(rate, times.in_hand().size());
  PacketInput input;
  input.sources.push_back(std::make_unique<PacedPackets>(pace, times));
  PacketFeed feed(config.packet_feeds[0], config, metrics.venues.emplace_back(), metrics.packets.emplace_back(),
                  std::move(input));
  const MessageSource source = noted(feed, times);
  PublisherThread kafka(
      "kafka", {source.kafka}, [](std::size_t, const Message&) {}, [] {});
  ZeroMqPublisher zeromq(config, {source}, metrics);
  wait_ns(kSettleNs);
  feed.start();
  while (!pace.is_over()) wait_ns(kSettleNs);
  wait_ns(kSettleNs);
  feed.stop();
  zeromq.stop();
  kafka.stop();
  std::filesystem::remove_all(config.errors_dir);
}

/// The floor: as many bytes at the same pace by one call of zmq_send each, and nothing else.
void run_bare(const std::string& address, std::int64_t rate, std::size_t bytes, const Times& times) {
  zmq::context_t context(1);
  zmq::socket_t socket(context, zmq::socket_type::pub);
  socket.set(zmq::sockopt::sndhwm, 100'000);
  socket.bind(address);
  wait_ns(kSettleNs);
  std::vector<std::uint8_t> message(bytes);
  Pace pace(rate, times.in_hand().size());
  std::uint64_t number = 0;
  while (!pace.is_over()) {
    for (std::size_t left = pace.take(times.in_hand()); left > 0; --left) {
      write_big_endian<8>(message.data(), ++number);
      socket.send(zmq::buffer(message), zmq::send_flags::none);
      times.published()[number - 1] = steady_now_ns();
    }
  }
  wait_ns(kSettleNs);
}

/// Bytes of a message's three frames.
std::size_t message_bytes() {
  RecordEncoder encoder(std::make_shared<Instruments>("nasdaq", std::vector<std::string>{"AAPL-USD"}),
                        std::string(32, '0'), SchemaIds{1, 2, 3, 4});
  Message message;
  (void)message.trade.id.assign("123456");
  message.trade.price = static_cast<livetape::Int128>(livetape::power_of_ten(18)) * 189;
  message.trade.size = static_cast<livetape::Int128>(livetape::power_of_ten(18)) * 100;
  message.trade.event_time_ns = message.trade.receive_time_ns = 1'700'000'000 * kSecondNs;
  message.sequence = 123'456;
  return encoder.encode(message).size() + encoder.key(message).size() + sizeof(SessionId) + sizeof(message.sequence);
}

/// Differences of some rounds, and what so many of a hundred are below, in microseconds.
class Differences {
 public:
  void add(std::span<const std::int64_t> from, std::span<const std::int64_t> to, std::size_t first) {
    for (std::size_t i = first; i < from.size(); ++i) {
      if (to[i] != 0) ns_.push_back(to[i] - from[i]);
    }
  }
  double us(double share) {
    if (ns_.empty()) return -1;
    const auto at = static_cast<std::ptrdiff_t>(static_cast<double>(ns_.size() - 1) * share);
    std::nth_element(ns_.begin(), ns_.begin() + at, ns_.end());
    return static_cast<double>(ns_[static_cast<std::size_t>(at)]) / 1'000;
  }
  [[nodiscard]] std::size_t count() const { return ns_.size(); }

 private:
  std::vector<std::int64_t> ns_;
};

}  // namespace

/// Times a packet from our hands to ZeroMQ and to a subscriber's, beside bare zmq_send, in turn; prints JSON.
int main(int argc, char** argv) {
  const std::int64_t rate = argc > 1 ? std::stoll(argv[1]) : 100'000;
  const auto messages = static_cast<std::size_t>((kWarmUpNs + kRoundNs) * rate / kSecondNs);
  const auto first = static_cast<std::size_t>(kWarmUpNs * rate / kSecondNs);
  const std::string address = "ipc:///tmp/packet-publish-" + std::to_string(::getpid());
  const std::size_t bytes = message_bytes();
  Differences published, bare, heard, bare_heard;
  for (std::size_t round = 0; round < kRounds; ++round) {
    {
      const Times times(messages);
      const ChildProcess subscriber([&] { listen(address, times.heard()); });
      run_bare(address, rate, bytes, times);
      bare.add(times.in_hand(), times.published(), first);
      bare_heard.add(times.published(), times.heard(), first);
    }
    const Times times(messages);
    const ChildProcess subscriber([&] { listen(address, times.heard()); });
    run_bridge(address, rate, times);
    published.add(times.in_hand(), times.published(), first);
    heard.add(times.published(), times.heard(), first);
  }
  std::cout << R"({"messages_per_s": )" << rate << R"(, "message_bytes": )" << bytes << R"(, "messages": )"
            << published.count() << R"(, "packet_to_publish_us_p50": )" << published.us(0.5)
            << R"(, "packet_to_publish_us_p99": )" << published.us(0.99) << R"(, "bare_zmq_send_us_p50": )"
            << bare.us(0.5) << R"(, "bare_zmq_send_us_p99": )" << bare.us(0.99)
            << R"(, "publish_to_subscriber_us_p50": )" << heard.us(0.5) << R"(, "publish_to_subscriber_us_p99": )"
            << heard.us(0.99) << R"(, "bare_to_subscriber_us_p50": )" << bare_heard.us(0.5)
            << R"(, "bare_to_subscriber_us_p99": )" << bare_heard.us(0.99) << "}\n";
  return 0;
}
