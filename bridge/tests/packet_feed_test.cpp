#include "nic/packet_feed.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/time.hpp"

namespace livetape::bridge {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::int64_t kHardwareTimeNs = 77;

/// Hands out what a test put in, a burst a call.
class Scripted final : public PacketSource {
 public:
  Scripted(std::deque<std::vector<Bytes>>& bursts, std::size_t line, const std::uint64_t& dropped)
      : bursts_(bursts), line_(line), dropped_(dropped) {}
  void receive(Payloads& out) override {
    if (bursts_.empty()) return;
    now_ = std::move(bursts_.front());
    bursts_.pop_front();
    for (const Bytes& payload : now_) out.push_back({payload, kHardwareTimeNs, line_});
  }
  [[nodiscard]] std::uint64_t dropped() const noexcept override { return dropped_; }

 private:
  std::deque<std::vector<Bytes>>& bursts_;
  std::size_t line_;
  const std::uint64_t& dropped_;
  std::vector<Bytes> now_;
};

/// A re-request server on this machine.
class Server {
 public:
  Server() : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<const ::sockaddr*>(&address_), size), 0);
    EXPECT_EQ(::getsockname(descriptor_, reinterpret_cast<::sockaddr*>(&address_), &size), 0);
  }
  ~Server() { ::close(descriptor_); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] UdpAddress address() const noexcept { return {INADDR_LOOPBACK, ntohs(address_.sin_port)}; }
  /// The next request's session; nothing where there is none.
  std::optional<std::uint8_t> asked() {
    Bytes request(mold::Header::kBytes);
    ::socklen_t size = sizeof client_;
    auto* const client = reinterpret_cast<::sockaddr*>(&client_);
    if (::recvfrom(descriptor_, request.data(), request.size(), 0, client, &size) <= 0) return std::nullopt;
    return request[0];
  }
  void answer(const Bytes& packet) const {
    const auto* const client = reinterpret_cast<const ::sockaddr*>(&client_);
    EXPECT_GT(::sendto(descriptor_, packet.data(), packet.size(), 0, client, sizeof client_), 0);
  }

 private:
  int descriptor_;
  ::sockaddr_in address_{};
  ::sockaddr_in client_{};  // who asked last
};

Bytes packet(std::uint64_t sequence, const std::vector<Bytes>& messages, std::uint8_t session = 'S') {
  Bytes bytes(mold::Header::kBytes, session);
  write_big_endian<8>(bytes.data() + 10, sequence);
  write_big_endian<2>(bytes.data() + 18, messages.size());
  for (const Bytes& message : messages) {
    bytes.push_back(0);
    bytes.push_back(static_cast<std::uint8_t>(message.size()));
    bytes.insert(bytes.end(), message.begin(), message.end());
  }
  return bytes;
}

Bytes end_of_session(std::uint64_t next) {
  Bytes bytes = packet(next, {});
  write_big_endian<2>(bytes.data() + 18, mold::Header::kEndOfSession);
  return bytes;
}

Bytes message(char type, std::size_t size) {
  Bytes bytes(size, ' ');
  bytes[0] = static_cast<std::uint8_t>(type);
  write_big_endian<2>(bytes.data() + 1, 1);
  write_big_endian<6>(bytes.data() + 5, 1'000);
  return bytes;
}
Bytes directory() {
  Bytes bytes = message('R', itch::StockDirectory::kBytes);
  bytes[11] = 'A';
  write_big_endian<4>(bytes.data() + 21, 1);
  return bytes;
}
Bytes trade(std::uint64_t match, std::uint64_t time_ns = 1'000) {
  Bytes bytes = message('P', itch::HiddenTrade::kBytes);
  write_big_endian<6>(bytes.data() + 5, time_ns);
  write_big_endian<4>(bytes.data() + 20, 100);
  write_big_endian<4>(bytes.data() + 32, 5);
  write_big_endian<8>(bytes.data() + 36, match);
  return bytes;
}

class PacketFeedTest : public testing::Test {
 protected:
  PacketFeedTest() {
    config_.errors_dir = errors_;
    config_.positions_dir = errors_.string() + "-positions";
    config_.clock_interval = std::chrono::milliseconds(0);
    PacketFeedConfig& feed = config_.packet_feeds.emplace_back();
    feed.venue = "nasdaq";
    feed.lines = {"239.1.2.3:26400", "239.1.2.4:26400"};
    feed.currency = "USD";
    feed.utc_offsets = {{0, 0}};
    feed.midnight_ns = 0;
    feed.orders = 10;
  }
  ~PacketFeedTest() override {
    std::filesystem::remove_all(errors_);
    std::filesystem::remove_all(config_.positions_dir);
  }

  std::unique_ptr<PacketFeed> feed(bool is_polled) {
    if (is_polled) config_.packet_feeds[0].dpdk = "";
    PacketInput input;
    input.sources.push_back(std::make_unique<Scripted>(bursts_, 0, dropped_));
    input.sources.push_back(std::make_unique<Scripted>(bursts_of_other_, 1, kNoneDropped));
    if (server_) {
      auto server = std::make_unique<UdpSocket>(UdpSocket::connected(*server_));
      input.server = server.get();
      input.sources.push_back(std::move(server));
    }
    return std::make_unique<PacketFeed>(config_.packet_feeds[0], config_, metrics_.venues.emplace_back(),
                                        metrics_.packets.emplace_back(), std::move(input));
  }
  /// Match numbers of trades, gaps' numbers and times, and `clock`, in the order that they were published.
  static std::string told(const Message& message) {
    if (message.kind == Message::Kind::gap) {
      return std::to_string(message.gap.first_message) + " to " + std::to_string(message.gap.last_message) + ", from " +
             std::to_string(message.gap.from_time_ns) + " to " + std::to_string(message.gap.to_time_ns);
    }
    return message.kind == Message::Kind::clock ? "clock" : std::string(message.trade.id.view());
  }
  static std::vector<std::string> empty(MessageRing& ring) {
    std::vector<std::string> all;
    for (; ring.front() != nullptr; ring.pop()) all.push_back(told(*ring.front()));
    return all;
  }
  using Told = std::vector<std::string>;

  std::filesystem::path errors_ =
      std::filesystem::temp_directory_path() / ("packet-feed-" + std::to_string(::getpid()));
  Config config_;
  Metrics metrics_;
  static constexpr std::uint64_t kNoneDropped = 0;
  std::deque<std::vector<Bytes>> bursts_;
  std::deque<std::vector<Bytes>> bursts_of_other_;  // by the second line
  std::uint64_t dropped_ = 0;
  std::optional<UdpAddress> server_;
};

TEST_F(PacketFeedTest, PublishesAtOnceAndThenFillsKafkasRing) {
  const auto polled = feed(true);
  const MessageSource source = polled->source();
  Told published;
  std::vector<std::uint64_t> numbers;
  polled->publish_by([&](const Message& message) {
    EXPECT_EQ(empty(*source.kafka), published) << "Kafka has what was published before";
    published.clear();
    published.push_back(told(message));
    numbers.push_back(message.sequence);
  });
  bursts_.push_back({packet(1, {directory(), trade(7)}), packet(3, {trade(8)})});
  EXPECT_TRUE(polled->poll());
  EXPECT_EQ(empty(*source.kafka), Told{"clock"});
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(metrics_.venues[0].trades, 2U);
  EXPECT_EQ(metrics_.venues[0].connected, 1);
}

TEST_F(PacketFeedTest, TellsWhenATradeReachedTheCardAndWhenItWasPublished) {
  const auto polled = feed(true);
  std::vector<Trade> trades;
  polled->publish_by([&](const Message& message) {
    if (message.kind == Message::Kind::trade) trades.push_back(message.trade);
  });
  bursts_.push_back({packet(1, {directory(), trade(7)})});
  (void)polled->poll();
  ASSERT_EQ(trades.size(), 1U);
  EXPECT_EQ(trades[0].hardware_time_ns, kHardwareTimeNs);
  EXPECT_GE(trades[0].publish_time_ns, trades[0].receive_time_ns);
}

TEST_F(PacketFeedTest, CountsThePacketsOfEachLineAndWhatWasDroppedBeforeItCouldBeRead) {
  const auto polled = feed(true);
  polled->publish_by([](const Message&) {});
  dropped_ = 3;
  bursts_.push_back({packet(1, {directory()}), packet(2, {trade(7)})});
  bursts_of_other_.push_back({packet(1, {directory()})});
  (void)polled->poll();
  const PacketMetrics& counted = metrics_.packets[0];
  EXPECT_EQ(counted.lines[0].packets, 2U);
  EXPECT_EQ(counted.lines[1].packets, 1U);
  EXPECT_EQ(counted.dropped, 3U);
  EXPECT_NE(as_prometheus_text(metrics_).find(R"(line="239.1.2.4:26400"} 1)"), std::string::npos);
}

TEST_F(PacketFeedTest, IsSilentForNobodyWhoStopped) {
  const auto polled = feed(true);
  polled->publish_by([](const Message&) { FAIL(); });
  bursts_.push_back({packet(1, {directory(), trade(7)})});
  polled->stop();
  EXPECT_FALSE(polled->poll());
}

TEST_F(PacketFeedTest, IsHeardThoughItsSessionEndsAtOnce) {
  const auto polled = feed(true);
  Told published;
  polled->publish_by([&](const Message& message) { published.push_back(told(message)); });
  bursts_.push_back({packet(1, {directory(), trade(7)}), end_of_session(3)});
  (void)polled->poll();
  EXPECT_TRUE(polled->has_ended());
  EXPECT_EQ(published, (Told{"7", "clock"}));
  EXPECT_EQ(metrics_.venues[0].connected, 1);
}

TEST_F(PacketFeedTest, HoldsTheClockWhileSomethingIsMissing) {
  const auto polled = feed(true);
  Told published;
  polled->publish_by([&](const Message& message) { published.push_back(told(message)); });
  EXPECT_FALSE(polled->poll());
  EXPECT_EQ(published, Told{}) << "no clock before the first packet";
  bursts_.push_back({packet(1, {directory(), trade(7)})});
  (void)polled->poll();
  EXPECT_EQ(published, (Told{"7", "clock"}));
  published.clear();
  bursts_.push_back({packet(4, {trade(9)})});
  (void)polled->poll();
  EXPECT_EQ(published, Told{}) << "message 3 is missing";
  bursts_.push_back({packet(3, {trade(8)})});
  (void)polled->poll();
  EXPECT_EQ(published, (Told{"8", "9", "clock"}));
}

TEST_F(PacketFeedTest, TellsWhatIsLostBeforeWhatComesBehindIt) {
  config_.clock_interval = std::chrono::hours(1);
  const auto polled = feed(true);
  Told published;
  polled->publish_by([&](const Message& message) {
    EXPECT_TRUE(message.kind != Message::Kind::gap || message.gap.is_of_any);
    published.push_back(told(message));
  });
  bursts_.push_back({packet(1, {directory(), trade(7)}), packet(5, {trade(9, 3'000)})});
  while (published.size() < 3) (void)polled->poll();
  EXPECT_EQ(published, (Told{"7", "3 to 4, from 1000 to 3000", "9"}));
  EXPECT_EQ(metrics_.venues[0].gaps, 1U);
  bursts_.push_back({packet(8, {})});  // a heartbeat: two more are known to be
  bursts_.push_back({end_of_session(8)});
  while (!polled->has_ended()) (void)polled->poll();
  ASSERT_EQ(published.size(), 4U);
  EXPECT_EQ(published.back(), "6 to 7, from 3000 to 3000") << "nothing comes behind it";
}

TEST_F(PacketFeedTest, ReadsNoAnswerThatWasLateForTheSessionBefore) {
  config_.clock_interval = std::chrono::hours(1);
  Server server;
  server_ = server.address();
  const auto polled = feed(true);
  Told published;
  polled->publish_by([&](const Message& message) { published.push_back(told(message)); });
  bursts_.push_back({packet(1, {directory(), trade(7)}), packet(4, {trade(9)})});
  while (server.asked() != 'S') (void)polled->poll();
  server.answer(packet(3, {trade(8)}));
  while (published.size() < 3) (void)polled->poll();
  EXPECT_EQ(published, (Told{"7", "8", "9"}));
  server.answer(packet(3, {trade(8)}));
  bursts_.push_back({end_of_session(5)});
  bursts_.push_back({packet(1, {directory(), trade(17)}, 'T'), packet(4, {trade(19)}, 'T')});
  while (server.asked() != 'T') (void)polled->poll();
  server.answer(packet(3, {trade(18)}, 'T'));
  while (published.size() < 6) (void)polled->poll();
  EXPECT_EQ(published, (Told{"7", "8", "9", "17", "18", "19"}));
  EXPECT_EQ(metrics_.packets[0].receiver.packets, 7U)
      << "the late one was not read: of a session of the same name it would be taken";
}

TEST_F(PacketFeedTest, TellsAGapAtATimeThatCanBeBelieved) {
  config_.clock_interval = std::chrono::hours(1);
  const auto polled = feed(true);
  Told published;
  polled->publish_by([&](const Message& message) { published.push_back(told(message)); });
  const Bytes unknown = message('z', itch::SystemEvent::kBytes);
  bursts_.push_back({packet(1, {directory(), trade(7, 2'000)}), packet(3, {unknown}), packet(5, {unknown})});
  bursts_.push_back({packet(6, {unknown, trade(9, 3'000)})});
  while (published.size() < 3) (void)polled->poll();
  EXPECT_EQ(published, (Told{"7", "4 to 4, from 2000 to 3000", "9"}));
}

TEST_F(PacketFeedTest, SetsItsClockByNoMessageOfAWrongTime) {
  constexpr std::int64_t kHourNs = 3'600'000'000'000;
  const std::int64_t midnight_ns = utc_now_ns() - 10 * kHourNs;
  config_.packet_feeds[0].midnight_ns = midnight_ns;
  const auto polled = feed(true);
  std::vector<std::int64_t> clocks;
  polled->publish_by([&](const Message& message) {
    if (message.kind == Message::Kind::clock) clocks.push_back(message.clock_time_ns - midnight_ns);
  });
  Bytes unknown = message('z', itch::SystemEvent::kBytes);
  write_big_endian<6>(unknown.data() + 5, 11 * kHourNs);
  Bytes cut = trade(7, 9 * kHourNs);
  cut.pop_back();
  std::uint64_t next = 1;
  for (const Bytes& wrong : {unknown, cut, trade(8, 11 * kHourNs)}) {
    bursts_.push_back({packet(next, {trade(6, kHourNs), wrong})});
    (void)polled->poll();
    next += 2;
  }
  EXPECT_EQ(clocks, std::vector<std::int64_t>{}) << "the last message of a packet tells the time";
  bursts_.push_back({packet(7, {directory(), trade(9, 2 * kHourNs)})});
  (void)polled->poll();
  ASSERT_EQ(clocks.size(), 1U);
  EXPECT_GE(clocks[0], 2 * kHourNs);
  EXPECT_LT(clocks[0], 3 * kHourNs);
}

TEST_F(PacketFeedTest, KeepsTheDayOfItsSessionForTheNextRun) {
  constexpr std::int64_t kDayNs = 86'400'000'000'000;
  mold::Session session;
  session.fill('S');
  config_.packet_feeds[0].midnight_ns.reset();
  server_ = parse_udp_address("127.0.0.1:9");  // nothing is asked for
  const auto last_trade_of_a_run = [&](std::uint64_t first_ns) {
    const auto polled = feed(true);
    std::int64_t event_time_ns = 0;
    polled->publish_by([&](const Message& message) {
      if (message.kind == Message::Kind::trade) event_time_ns = message.trade.event_time_ns;
    });
    bursts_.push_back({packet(1, {directory(), trade(7, first_ns), trade(8, first_ns + 1)})});
    (void)polled->poll();
    return event_time_ns;
  };
  (void)last_trade_of_a_run(2'000);
  const SessionFile file(config_.positions_dir, "nasdaq");
  const auto told = file.day_of(session);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->since_midnight_ns, 1'000U) << "the directory's";
  const SessionDay yesterday{told->since_midnight_ns, told->midnight_ns - kDayNs};
  ASSERT_TRUE(file.keep(session, yesterday));
  EXPECT_EQ(last_trade_of_a_run(2'000), yesterday.midnight_ns + 2'001) << "the session is read again, a day later";
  EXPECT_EQ(file.day_of(session), yesterday);
}

TEST_F(PacketFeedTest, CountsAndKeepsWhatItCannotRead) {
  const auto polled = feed(true);
  polled->publish_by([](const Message&) {});
  bursts_.push_back({packet(1, {Bytes{'z', 1}, directory(), Bytes(3, 'A')})});
  (void)polled->poll();
  const auto& errors = metrics_.packets[0].message_errors;
  EXPECT_EQ(errors[static_cast<std::size_t>(itch::Error::unknown_type)], 1U);
  EXPECT_EQ(errors[static_cast<std::size_t>(itch::Error::truncated)], 1U);
  EXPECT_GT(std::filesystem::file_size(errors_ / "nasdaq.jsonl"), 0U);
}

TEST_F(PacketFeedTest, ReadsInAThreadOfItsOwnPolledOrNot) {
  config_.clock_interval = std::chrono::milliseconds(1);  // one at each poll would soon fill the ring
  for (const bool is_polled : {true, false}) {
    metrics_.venues.clear();
    const auto running = feed(is_polled);
    const MessageSource source = running->source();
    Told published;
    source.publish_by([&](const Message& message) { published.push_back(told(message)); });
    bursts_.push_back({packet(1, {directory(), trade(7)})});
    running->start();
    while (metrics_.venues[0].clocks == 0) std::this_thread::yield();
    running->stop();
    ASSERT_GE(published.size(), 2U);
    EXPECT_EQ(published[0], "7");
    EXPECT_EQ(published[1], "clock");
    EXPECT_EQ(empty(*source.kafka), published);
  }
}

}  // namespace
}  // namespace livetape::bridge
