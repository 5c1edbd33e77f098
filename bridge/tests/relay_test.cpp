#include "relay/relay.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <future>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <zmq_addon.hpp>

#include "core/big_endian.hpp"
#include "core/session_id.hpp"
#include "mock_brokers.hpp"

namespace livetape::bridge {
namespace {

constexpr SchemaIds kSchemas = MockBrokers::kSchemas;
constexpr std::int32_t kUnknown = 99;
constexpr int kWaitMs = 300'000;
const NamespaceMark kMark = mark_of_namespace("test");

SessionId session_of(unsigned char byte) {
  SessionId session;
  session.fill(byte);
  std::ranges::copy(kMark, session.begin());
  return session;
}

const SessionId kBefore = session_of(6);
const SessionId kNow = session_of(7);

/// The bridge's sockets, by which a test answers the relay.
class Bridge {
 public:
  Bridge() {
    requests_.set(zmq::sockopt::rcvtimeo, kWaitMs);
    requests_.set(zmq::sockopt::linger, 0);
    for (zmq::socket_t* socket : {&live_, &requests_}) socket->bind("tcp://127.0.0.1:*");
  }

  void configure(Config& config) const {
    config.zeromq_data = live_.get(zmq::sockopt::last_endpoint);
    config.zeromq_retry = requests_.get(zmq::sockopt::last_endpoint);
  }

  /// From now on this is what it says of its sessions.
  void tell(std::vector<RetryRange> unconfirmed) { unconfirmed_ = std::move(unconfirmed); }

  /// Answers what it has until the relay sends a request of this kind; its range.
  RetryRange hear(std::string_view kind) {
    for (;;) {
      request_.clear();
      if (!zmq::recv_multipart(requests_, std::back_inserter(request_))) throw std::runtime_error("nothing is heard");
      const std::string_view heard = request_[1].to_string_view();
      if (heard == "unconfirmed") answer_unconfirmed();
      if (heard == kind) return read_range(request_[2].to_string_view());
    }
  }

  void hear_confirmed(std::uint64_t last) {
    while (hear("confirm").last < last) continue;
  }

  /// Gives all that was asked for, each by a schema.
  void give(const RetryRange& wanted, std::int32_t schema) {
    auto frames = begin("got");
    frames.push_back(write_range(wanted));
    for (std::uint64_t sequence = wanted.first; sequence <= wanted.last; ++sequence) {
      std::array<std::uint8_t, 5> value{};
      write_big_endian<4>(value.data() + 1, static_cast<std::uint32_t>(schema));
      const Position position = position_of(wanted.session, sequence);
      frames.emplace_back(std::string_view("toy:A-USD"));
      frames.emplace_back(position.data(), position.size());
      frames.emplace_back(value.data(), value.size());
    }
    (void)zmq::send_multipart(requests_, frames);
  }

 private:
  [[nodiscard]] std::vector<zmq::message_t> begin(std::string_view kind) {
    std::vector<zmq::message_t> frames;
    frames.emplace_back(request_[0].data(), request_[0].size());
    frames.emplace_back(kind);
    return frames;
  }

  void answer_unconfirmed() {
    auto frames = begin("unconfirmed");
    for (const RetryRange& each : unconfirmed_) {
      frames.emplace_back(std::string_view("toy"));
      frames.push_back(write_range(each));
    }
    (void)zmq::send_multipart(requests_, frames);
  }

  zmq::context_t context_{1};
  zmq::socket_t live_{context_, zmq::socket_type::pub};
  zmq::socket_t requests_{context_, zmq::socket_type::router};
  std::vector<RetryRange> unconfirmed_;
  std::vector<zmq::message_t> request_;
};

class RelayTest : public ::testing::Test {
 protected:
  RelayTest() {
    brokers_.configure(config_);
    bridge_.configure(config_);
    config_.namespace_mark = kMark;
    VenueConfig& venue = config_.venues.emplace_back();
    venue.venue = "toy";
    venue.writer = Writer::relay;
  }

  MockBrokers brokers_;
  Bridge bridge_;
  Config config_;
  RelayMetrics metrics_;
};

TEST_F(RelayTest, EndsAtASchemaThatItDoesNotKnowAndLeavesItsMessagesToTheNext) {
  std::promise<void> end;
  Relay relay(config_, metrics_, [&end] { end.set_value(); });
  bridge_.tell({{kNow, 1, 1}});
  relay.start();
  bridge_.give(bridge_.hear("get"), kSchemas.trade);
  bridge_.hear_confirmed(1);
  bridge_.tell({{kNow, 2, 3}});
  bridge_.give(bridge_.hear("get"), kUnknown);
  end.get_future().wait();
  relay.stop();
  EXPECT_EQ(metrics_.kafka.produced, 1U);
  EXPECT_EQ(metrics_.venues.front().lost, 0U);
}

TEST_F(RelayTest, GoesOnWhereAnotherRelayHasWrittenTo) {
  Relay relay(config_, metrics_, [] { ADD_FAILURE() << "fatal"; });
  bridge_.tell({{kNow, 1, 3}});
  relay.start();
  bridge_.give(bridge_.hear("get"), kSchemas.trade);
  bridge_.hear_confirmed(3);
  bridge_.tell({{kNow, 11, 12}});
  const RetryRange wanted = bridge_.hear("get");
  EXPECT_EQ(std::pair(wanted.first, wanted.last), (std::pair<std::uint64_t, std::uint64_t>{11, 12}));
  bridge_.give(wanted, kSchemas.trade);
  bridge_.hear_confirmed(12);
  relay.stop();
  EXPECT_EQ(metrics_.kafka.produced, 5U);
  EXPECT_EQ(metrics_.venues.front().lost, 0U);
}

TEST_F(RelayTest, AsksForNothingOfASessionThatAnotherRelayHasWrittenToItsEnd) {
  Relay relay(config_, metrics_, [] { ADD_FAILURE() << "fatal"; });
  bridge_.tell({{kBefore, 1, 3}, {kNow, 1, 4}});
  relay.start();
  EXPECT_EQ(bridge_.hear("get").session, kBefore);
  bridge_.tell({{kNow, 3, 4}});
  RetryRange wanted = bridge_.hear("get");
  constexpr int kMost = 10;  // that it asks again before it is told
  for (int asked = 0; wanted.session == kBefore && asked < kMost; ++asked) wanted = bridge_.hear("get");
  EXPECT_EQ(wanted.session, kNow);
  EXPECT_EQ(std::pair(wanted.first, wanted.last), (std::pair<std::uint64_t, std::uint64_t>{3, 4}));
  bridge_.give(wanted, kSchemas.trade);
  bridge_.hear_confirmed(4);
  relay.stop();
  EXPECT_EQ(metrics_.venues.front().lost, 0U);
}

}  // namespace
}  // namespace livetape::bridge
