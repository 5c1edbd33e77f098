#include "publish/kafka_publisher.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/big_endian.hpp"
#include "folder_test.hpp"
#include "full_disk.hpp"
#include "mock_brokers.hpp"

namespace livetape::bridge {
namespace {

constexpr SessionId kSession{1};

/// A venue of two instruments.
class KafkaPublisherTest : public FolderTest {
 protected:
  KafkaPublisherTest() {
    brokers_.configure(config_);
    config_.spool_dir = folder_;
    config_.spool_bytes = std::uint64_t{1} << 30;
    VenueConfig& venue = config_.venues.emplace_back();
    venue.venue = "toy";
    venue.writer = Writer::direct;
    metrics_.venues.emplace_back().venue = "toy";
  }

  void put(std::uint64_t number, std::uint32_t instrument) {
    Message message;
    message.sequence = number;
    message.trade.instrument = instrument;
    ASSERT_TRUE(message.trade.id.assign(std::to_string(number)));
    ASSERT_TRUE(ring_.push(message));
  }

  /// The brokers have the first message, neither they nor the disk have the second, and the disk has two behind it.
  void lose_the_second_from_sight() {
    put(1, 0);
    wait_for([this] { return metrics_.kafka.delivered == 1U && ring_.settled() == 1; });
    brokers_.leave();
    {
      const FullDisk full(1);
      put(2, 0);
      wait_for([this] { return metrics_.kafka.produced == 2U; });
    }
    put(3, 0);
    wait_for([this] { return metrics_.venues.front().spooled == 2U; });
    put(4, 0);
    wait_for([this] { return metrics_.venues.front().spooled == 3U; });
  }

  static void wait_for(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::yield();
  }

  /// Number, key and schema of every message that is on disk.
  static std::vector<std::string> all_of(Spool& spool) {
    SpoolReader reader(spool);
    std::vector<std::string> all;
    for (auto messages = reader.read(); !messages.empty(); messages = reader.read()) {
      for (const SpooledMessage& each : messages) {
        all.push_back(std::to_string(each.sequence) + ' ' + std::string(each.key) + ' ' +
                      std::to_string(read_big_endian<4>(each.value.data() + 1)));
      }
    }
    return all;
  }

  MockBrokers brokers_;
  Config config_;
  Metrics metrics_;
  MessageRing ring_{64};
  MessageSource source_{.instruments = std::make_shared<Instruments>("toy", std::vector<std::string>{"A-USD", "B-USD"}),
                        .session = kSession,
                        .kafka = &ring_,
                        .publish_by = {}};
};

TEST_F(KafkaPublisherTest, TellsOfTradesThatTheDiskRefusedOnceItTakesSome) {
  config_.venues.front().writer = Writer::relay;
  KafkaPublisher publisher(config_, {source_}, metrics_, [] {});
  publisher.start();
  put(1, 0);
  wait_for([this] { return ring_.settled() == 1; });
  const VenueMetrics& venue = metrics_.venues.front();
  {
    const FullDisk full(1);
    put(2, 1);
    wait_for([&] { return venue.spool_refused == 1U; });
    put(3, 0);
    put(4, 1);
    wait_for([&] { return venue.spool_refused == 3U; });
  }
  EXPECT_EQ(ring_.settled(), 1U) << "the next run would ask for them";
  put(5, 0);
  wait_for([this] { return ring_.settled() == 5; });
  Spool& spool = *publisher.relay_spool("toy");
  EXPECT_EQ(all_of(spool),
            (std::vector<std::string>{"1 toy:A-USD 1", "2 toy:B-USD 3", "3 toy:A-USD 3", "5 toy:A-USD 1"}));
  EXPECT_EQ(venue.spool_refused, 3U);
  spool.confirm(kSession, 5);
  EXPECT_FALSE(publisher.stop()) << "trades were lost";
}

TEST_F(KafkaPublisherTest, CountsWhatNeitherDiskNorKafkaHaveForLostAndLeavesItToTheNextRun) {
  KafkaPublisher publisher(config_, {source_}, metrics_, [] { ADD_FAILURE() << "fatal"; });
  publisher.start();
  lose_the_second_from_sight();
  EXPECT_EQ(ring_.settled(), 1U) << "the next run would ask for it";
  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(publisher.stop());
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("Kafka: 1 messages were lost"), std::string::npos) << said;
  EXPECT_EQ(ring_.settled(), 1U);
  EXPECT_EQ(metrics_.venues.front().spool_refused, 0U);
}

TEST_F(KafkaPublisherTest, SettlesWhatTheDiskDidNotTakeOnceKafkaHasIt) {
  KafkaPublisher publisher(config_, {source_}, metrics_, [] { ADD_FAILURE() << "fatal"; });
  publisher.start();
  lose_the_second_from_sight();
  brokers_.come_back();
  wait_for([this] { return ring_.settled() == 4; });
  EXPECT_TRUE(publisher.stop());
  EXPECT_EQ(metrics_.kafka.delivered, 4U);
}

}  // namespace
}  // namespace livetape::bridge
