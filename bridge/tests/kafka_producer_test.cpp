#include "publish/kafka_producer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "core/big_endian.hpp"
#include "core/time.hpp"
#include "mock_brokers.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int32_t kPartitions = MockBrokers::kPartitions;
constexpr SchemaIds kSchemas = MockBrokers::kSchemas;
constexpr int kWaitMs = 120'000;
constexpr std::int64_t kGiveUpNs = 300'000'000'000;

/// A message that owns its bytes: its number stands behind the wire header.
struct Made {
  std::uint64_t sequence;
  std::string key;
  std::array<std::uint8_t, 13> value{};

  Made(std::uint64_t its_sequence, std::string its_key, std::int32_t schema)
      : sequence(its_sequence), key(std::move(its_key)) {
    write_big_endian<4>(value.data() + 1, static_cast<std::uint32_t>(schema));
    write_big_endian<8>(value.data() + 5, sequence);
  }
};

/// A record as a consumer has it.
struct Read {
  std::string key;
  std::uint64_t sequence;
};

class KafkaProducerTest : public ::testing::Test {
 protected:
  KafkaProducerTest() { brokers_.configure(config_); }

  /// Polls until the brokers have told of their topics.
  static void wait_for_topics(KafkaProducer& producer, std::size_t session) {
    const std::int64_t give_up_at_ns = steady_now_ns() + kGiveUpNs;
    while (!producer.has_room(session, 1)) {
      producer.poll();
      ASSERT_LT(steady_now_ns(), give_up_at_ns);
    }
  }

  /// Produces all, as often as it takes, and waits until it is delivered.
  static void produce_all(KafkaProducer& producer, std::size_t session, const std::vector<Made>& made) {
    std::vector<SpooledMessage> messages;
    for (const Made& each : made) messages.push_back({each.sequence, each.key, each.value});
    const std::int64_t give_up_at_ns = steady_now_ns() + kGiveUpNs;
    for (std::span<const SpooledMessage> rest = messages; !rest.empty();) {
      rest = rest.subspan(producer.produce(session, rest));
      producer.poll();
      ASSERT_LT(steady_now_ns(), give_up_at_ns);
    }
    producer.flush(give_up_at_ns);
  }

  /// The records of a partition, in their order.
  [[nodiscard]] std::vector<Read> read(const std::string& topic, std::int32_t partition, std::size_t count) const {
    rd_kafka_t* const consumer = client(RD_KAFKA_CONSUMER, brokers_.address());
    rd_kafka_topic_t* const handle = rd_kafka_topic_new(consumer, topic.c_str(), nullptr);
    rd_kafka_consume_start(handle, partition, RD_KAFKA_OFFSET_BEGINNING);
    std::vector<Read> records;
    while (records.size() < count) {
      rd_kafka_message_t* const message = rd_kafka_consume(handle, partition, kWaitMs);
      if (message == nullptr) break;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        records.push_back({{static_cast<const char*>(message->key), message->key_len},
                           read_big_endian<8>(static_cast<const std::uint8_t*>(message->payload) + 5)});
      }
      rd_kafka_message_destroy(message);
    }
    rd_kafka_consume_stop(handle, partition);
    rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(consumer);
    return records;
  }

  MockBrokers brokers_;
  Config config_;
  KafkaMetrics metrics_;
};

/// Trades and quotes of some instruments, and a clock now and then.
std::vector<Made> session_of(std::uint64_t messages) {
  std::vector<Made> made;
  for (std::uint64_t number = 1; number <= messages; ++number) {
    const std::string key = "test:I" + std::to_string(number % 7);
    if (number % 10 == 0) {
      made.emplace_back(number, "test", kSchemas.clock);
    } else {
      made.emplace_back(number, key, number % 4 == 0 ? kSchemas.quote : kSchemas.trade);
    }
  }
  return made;
}

std::int32_t expected_partition(const std::string& key) {
  return rd_kafka_msg_partitioner_murmur2_random(nullptr, key.data(), key.size(), kPartitions, nullptr, nullptr);
}

/// What belongs into a partition of a topic, in order.
std::vector<std::uint64_t> expected(const std::vector<Made>& made, std::int32_t schema, std::int32_t partition) {
  std::vector<std::uint64_t> numbers;
  for (const Made& each : made) {
    const auto its_schema = static_cast<std::int32_t>(read_big_endian<4>(each.value.data() + 1));
    const bool is_here = expected_partition(each.key) == partition;
    if (its_schema == kSchemas.clock || (its_schema == schema && is_here)) numbers.push_back(each.sequence);
  }
  return numbers;
}

TEST_F(KafkaProducerTest, GoesOnWhereLibrdkafkasQueueWasFullWithoutLossOrDisorder) {
  config_.kafka.emplace_back("queue.buffering.max.messages", "5");  // less than the copies of a clock
  KafkaProducer producer(config_, metrics_, [] { ADD_FAILURE() << "fatal"; });
  const std::size_t session = producer.add_session(true);
  const std::vector<Made> made = session_of(300);
  produce_all(producer, session, made);

  EXPECT_GT(metrics_.queue_full, 0U);
  EXPECT_EQ(metrics_.failed, 0U);
  EXPECT_EQ(metrics_.produced, 270U + 30 * 2 * kPartitions);
  EXPECT_EQ(metrics_.delivered, metrics_.produced);
  EXPECT_EQ(producer.confirmed(session), made.size());
  EXPECT_TRUE(producer.is_idle(session));
  for (const auto& [topic, schema] : {std::pair("trades", kSchemas.trade), std::pair("quotes", kSchemas.quote)}) {
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      const auto numbers = expected(made, schema, partition);
      std::vector<std::uint64_t> found;
      for (const Read& record : read(topic, partition, numbers.size())) found.push_back(record.sequence);
      EXPECT_EQ(found, numbers) << topic << ' ' << partition;
    }
  }
}

TEST_F(KafkaProducerTest, KnowsRecordsOfOtherVersionsOfTheirSchemas) {
  config_.other_schema_ids = {.trade = {11}, .clock = {12}, .gap = {13, 23}, .quote = {14}, .candle = {15}};
  KafkaProducer producer(config_, metrics_, [] { ADD_FAILURE() << "fatal"; });
  constexpr std::int32_t kOfNone = 99;
  std::vector<Made> made;
  for (const std::int32_t schema : {11, 13, 14, 15, 23, kOfNone})
    made.emplace_back(static_cast<std::uint64_t>(schema), "test:A", schema);
  produce_all(producer, producer.add_session(true), made);

  const std::int32_t partition = expected_partition("test:A");
  const auto numbers_in = [&](const std::string& topic, std::size_t count) {
    std::vector<std::uint64_t> numbers;
    for (const Read& record : read(topic, partition, count)) numbers.push_back(record.sequence);
    return numbers;
  };
  EXPECT_EQ(metrics_.delivered, made.size());
  EXPECT_EQ(numbers_in("trades", 2), (std::vector<std::uint64_t>{11, kOfNone}));
  EXPECT_EQ(numbers_in("gaps", 2), (std::vector<std::uint64_t>{13, 23}));
  EXPECT_EQ(numbers_in("quotes", 1), (std::vector<std::uint64_t>{14}));
  EXPECT_EQ(numbers_in("candles", 1), (std::vector<std::uint64_t>{15}));
  EXPECT_TRUE(producer.knows(12));
  EXPECT_FALSE(producer.knows(kOfNone));
}

TEST_F(KafkaProducerTest, NamesWhatBrokersSayOfATopicThatTheyKeepFromIt) {
  brokers_.tell_of("quotes", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  std::string told;
  for (const std::int64_t give_up_at_ns = steady_now_ns() + kGiveUpNs; told.empty();) {
    ASSERT_LT(steady_now_ns(), give_up_at_ns);
    try {
      const KafkaProducer producer(config_, metrics_, [] {});  // waits for brokers that are slow
    } catch (const std::runtime_error& error) {
      told = error.what();
    }
  }
  EXPECT_EQ(told, "Kafka topic quotes: Broker: Topic authorization failed");
}

TEST_F(KafkaProducerTest, WaitsForATopicOfWhichBrokersCannotTellYet) {
  brokers_.tell_of("quotes", RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE);
  KafkaProducer producer(config_, metrics_, [] { ADD_FAILURE() << "fatal"; });
  const std::size_t session = producer.add_session(true);
  EXPECT_FALSE(producer.has_room(session, 1));
  brokers_.tell_of("quotes", RD_KAFKA_RESP_ERR_NO_ERROR);
  wait_for_topics(producer, session);
}

TEST_F(KafkaProducerTest, LosesARecordThatIsTooLargeAloneAndTellsIt) {
  config_.kafka.emplace_back("message.max.bytes", "1000");
  KafkaProducer producer(config_, metrics_, [] { ADD_FAILURE() << "fatal"; });
  const std::size_t session = producer.add_session(false);
  const std::vector<std::uint8_t> large(2'000);
  const Made before(1, "test:A", kSchemas.trade);
  const Made behind(3, "test:A", kSchemas.trade);
  const std::array<SpooledMessage, 3> messages{
      {{1, before.key, before.value}, {2, "test:A", large}, {3, behind.key, behind.value}}};
  wait_for_topics(producer, session);
  EXPECT_EQ(producer.produce(session, messages), 3U);
  producer.flush(steady_now_ns() + kGiveUpNs);
  EXPECT_EQ(metrics_.failed, 1U);
  EXPECT_EQ(metrics_.delivered, 2U);
  EXPECT_EQ(producer.confirmed(session), 3U);
}

/// What brokers answer where a batch as a whole is not as they want it.
class RefusedBatchTest : public KafkaProducerTest, public ::testing::WithParamInterface<rd_kafka_resp_err_t> {};

TEST_P(RefusedBatchTest, LosesNoRecordOfItAndLeavesAllToANewProducer) {
  config_.kafka.emplace_back("linger.ms", "1000");  // so that they go in one batch
  std::vector<Made> made;
  for (std::uint64_t number = 1; number <= 100; ++number) made.emplace_back(number, "test:A", kSchemas.trade);
  int fatal = 0;
  {
    KafkaProducer producer(config_, metrics_, [&fatal] { ++fatal; });
    const std::size_t session = producer.add_session(false);
    wait_for_topics(producer, session);
    brokers_.refuse_a_batch(GetParam());
    produce_all(producer, session, made);
    EXPECT_EQ(fatal, 1);
    EXPECT_EQ(metrics_.failed, 0U);
    EXPECT_EQ(producer.confirmed(session), 0U);
  }
  KafkaProducer next(config_, metrics_, [] { ADD_FAILURE() << "fatal"; });
  const std::size_t session = next.add_session(false);
  produce_all(next, session, made);
  EXPECT_EQ(next.confirmed(session), made.size());
  std::vector<std::uint64_t> found;
  const std::int32_t partition = expected_partition("test:A");
  for (const Read& record : read("trades", partition, made.size())) found.push_back(record.sequence);
  EXPECT_EQ(found, expected(made, kSchemas.trade, partition));
}

INSTANTIATE_TEST_SUITE_P(Codes, RefusedBatchTest,
                         ::testing::Values(RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
                                           RD_KAFKA_RESP_ERR_INVALID_RECORD),
                         [](const auto& code) { return std::string(rd_kafka_err2name(code.param)); });

TEST_F(KafkaProducerTest, TakesNoMoreThanMayBeUnderWay) {
  constexpr std::size_t kUnderWay = std::size_t{1} << 16;
  KafkaProducer producer(config_, metrics_, [] { ADD_FAILURE() << "fatal"; });
  const std::size_t session = producer.add_session(false);
  const Made made(1, "test:A", kSchemas.trade);
  std::vector<SpooledMessage> messages;
  for (std::uint64_t number = 1; number <= kUnderWay + 100; ++number) {
    messages.push_back({number, made.key, made.value});
  }
  wait_for_topics(producer, session);
  EXPECT_EQ(producer.produce(session, messages), kUnderWay);
  EXPECT_EQ(producer.produce(session, std::span(messages).subspan(kUnderWay)), 0U);
  EXPECT_EQ(producer.confirmed(session), 0U);
}

}  // namespace
}  // namespace livetape::bridge
