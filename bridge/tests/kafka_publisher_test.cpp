#include "publish/kafka_publisher.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "core/big_endian.hpp"
#include "full_disk.hpp"

namespace livetape::bridge {
namespace {

constexpr SchemaIds kSchemas{.trade = 1, .clock = 2, .gap = 3, .quote = 4, .candle = 5};
constexpr SessionId kSession{1};

/// A venue whose messages a relay writes, so that no broker is needed.
class KafkaPublisherTest : public ::testing::Test {
 protected:
  KafkaPublisherTest() {
    config_.spool_dir = folder_;
    config_.spool_bytes = std::uint64_t{1} << 30;
    config_.schema_ids = kSchemas;
    VenueConfig& venue = config_.venues.emplace_back();
    venue.venue = "toy";
    venue.writer = Writer::relay;
    metrics_.venues.emplace_back().venue = "toy";
  }
  ~KafkaPublisherTest() override { std::filesystem::remove_all(folder_); }

  void put(std::uint64_t number, std::uint32_t instrument) {
    Message message;
    message.sequence = number;
    message.trade.instrument = instrument;
    ASSERT_TRUE(message.trade.id.assign(std::to_string(number)));
    ASSERT_TRUE(ring_.push(message));
  }

  /// Number, key and schema of every message that is on disk.
  static std::vector<std::string> all_of(const Spool& spool) {
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

  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("livetape-publisher-" + std::to_string(::getpid()));
  Config config_;
  Metrics metrics_;
  MessageRing ring_{64};
  MessageSource source_{.instruments = std::make_shared<Instruments>("toy", std::vector<std::string>{"A-USD", "B-USD"}),
                        .session = kSession,
                        .kafka = &ring_,
                        .publish_by = {}};
};

TEST_F(KafkaPublisherTest, TellsOfTradesThatTheDiskRefusedOnceItTakesSome) {
  KafkaPublisher publisher(config_, {source_}, metrics_, [] {});
  publisher.start();
  put(1, 0);
  while (ring_.settled() < 1) std::this_thread::yield();
  const VenueMetrics& venue = metrics_.venues.front();
  {
    const FullDisk full(1);
    put(2, 1);
    while (venue.spool_refused < 1) std::this_thread::yield();
    put(3, 0);
    put(4, 1);
    while (venue.spool_refused < 3) std::this_thread::yield();
  }
  EXPECT_EQ(ring_.settled(), 1U) << "the next run would ask for them";
  put(5, 0);
  while (ring_.settled() < 5) std::this_thread::yield();
  Spool& spool = *publisher.relay_spool("toy");
  EXPECT_EQ(all_of(spool),
            (std::vector<std::string>{"1 toy:A-USD 1", "2 toy:B-USD 3", "3 toy:A-USD 3", "5 toy:A-USD 1"}));
  EXPECT_EQ(venue.spool_refused, 3U);
  spool.confirm(kSession, 5);
  EXPECT_FALSE(publisher.stop()) << "trades were lost";
}

}  // namespace
}  // namespace livetape::bridge
