#include "relay/session_order.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <string>

namespace livetape::bridge {
namespace {

using Missing = std::optional<std::pair<std::uint64_t, std::uint64_t>>;

/// What was written, and whether there is room for more.
struct Topic {
  std::vector<std::uint64_t> written{};
  std::size_t room = 1'000'000;

  bool operator()(std::uint64_t sequence, std::string_view key, std::span<const std::uint8_t> value) {
    if (written.size() >= room) return false;
    EXPECT_EQ(key, "k" + std::to_string(sequence));
    EXPECT_EQ(value.size(), 1U);
    EXPECT_EQ(value.front(), static_cast<std::uint8_t>(sequence));
    written.push_back(sequence);
    return true;
  }
};

bool take(SessionOrder& order, std::uint64_t sequence, Topic& topic) {
  const std::uint8_t value = static_cast<std::uint8_t>(sequence);
  const bool is_new = order.take(sequence, "k" + std::to_string(sequence), std::span(&value, 1), std::ref(topic));
  order.advance(std::ref(topic));
  return is_new;
}

std::vector<std::uint64_t> numbers(std::uint64_t first, std::uint64_t last) {
  std::vector<std::uint64_t> numbers(last - first + 1);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

TEST(SessionOrder, WritesWhatHasItsTurnAndAsksForWhatIsMissing) {
  SessionOrder order(5, 100);
  Topic topic;
  EXPECT_TRUE(order.is_complete());
  for (const std::uint64_t sequence : {5U, 6U, 9U, 12U}) EXPECT_TRUE(take(order, sequence, topic));
  EXPECT_EQ(topic.written, numbers(5, 6));
  EXPECT_EQ(order.missing(), Missing({7, 8}));
  EXPECT_TRUE(take(order, 8, topic));
  EXPECT_EQ(order.missing(), Missing({7, 7}));
  EXPECT_TRUE(take(order, 7, topic));
  EXPECT_EQ(topic.written, numbers(5, 9));
  EXPECT_EQ(order.missing(), Missing({10, 11}));
  for (const std::uint64_t sequence : {4U, 5U, 9U, 12U}) EXPECT_FALSE(take(order, sequence, topic));
}

TEST(SessionOrder, AsksForWhatItIsTold) {
  SessionOrder order(1, 100);
  order.knows(3);
  EXPECT_FALSE(order.is_complete());
  EXPECT_EQ(order.missing(), Missing({1, 3}));
}

TEST(SessionOrder, WaitsForRoomAndAsksForNothingMeanwhile) {
  SessionOrder order(1, 100);
  Topic topic;
  topic.room = 2;
  for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) take(order, sequence, topic);
  EXPECT_EQ(topic.written, numbers(1, 2));
  EXPECT_EQ(order.missing(), Missing());
  EXPECT_EQ(order.give_up(5), 0U);
  topic.room = 100;
  order.advance(std::ref(topic));
  EXPECT_EQ(topic.written, numbers(1, 5));
}

TEST(SessionOrder, AsksForTheLastOfThoseThatWereTooMany) {
  SessionOrder order(1, 3);
  Topic topic;
  for (const std::uint64_t sequence : {9U, 8U, 7U, 6U, 5U, 10U}) take(order, sequence, topic);
  EXPECT_EQ(order.missing(), Missing({1, 4}));
  for (std::uint64_t sequence = 1; sequence <= 4; ++sequence) take(order, sequence, topic);
  EXPECT_EQ(topic.written, numbers(1, 7));
  EXPECT_EQ(order.missing(), Missing({8, 10}));
}

TEST(SessionOrder, CountsWhatIsGivenUp) {
  SessionOrder order(1, 100);
  Topic topic;
  for (const std::uint64_t sequence : {4U, 7U}) take(order, sequence, topic);
  EXPECT_EQ(order.give_up(5), 3U);
  order.advance(std::ref(topic));
  EXPECT_EQ(order.give_up(5), 1U);
  EXPECT_EQ(order.missing(), Missing({6, 6}));
  EXPECT_EQ(topic.written, numbers(4, 4));
}

TEST(SessionOrder, GoesOnWhereAnotherHasWrittenTo) {
  SessionOrder order(1, 100);
  Topic topic;
  for (const std::uint64_t sequence : {1U, 3U, 8U, 9U}) take(order, sequence, topic);
  order.skip_to(9);
  order.advance(std::ref(topic));
  EXPECT_EQ(topic.written, (std::vector<std::uint64_t>{1, 9}));
  EXPECT_TRUE(order.is_complete());
  order.skip_to(5);
  EXPECT_EQ(order.next(), 10U);
  order.skip_to(20);
  EXPECT_TRUE(order.is_complete());
  EXPECT_FALSE(take(order, 19, topic));
  EXPECT_TRUE(take(order, 20, topic));
}

TEST(SessionOrder, WritesWhatWaitsWhereNobodyHasTheOthers) {
  SessionOrder order(1, 100);
  Topic topic;
  order.knows(20);
  for (const std::uint64_t sequence : {1U, 5U, 6U}) take(order, sequence, topic);
  order.end_with_held();
  order.advance(std::ref(topic));
  EXPECT_EQ(topic.written, (std::vector<std::uint64_t>{1, 5, 6}));
  EXPECT_TRUE(order.is_complete());
  SessionOrder empty(1, 100);
  empty.knows(20);
  empty.end_with_held();
  EXPECT_TRUE(empty.is_complete());
}

TEST(SessionOrder, ComesToTheSameInAnyOrderOfArrival) {
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    auto arriving = numbers(1, 60);
    std::ranges::shuffle(arriving, random);
    SessionOrder order(1, 10);
    Topic topic;
    order.knows(60);
    while (!order.is_complete()) {
      for (const std::uint64_t sequence : arriving) take(order, sequence, topic);
    }
    ASSERT_EQ(topic.written, numbers(1, 60));
  }
}

}  // namespace
}  // namespace livetape::bridge
