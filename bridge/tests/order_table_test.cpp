#include "nic/order_table.hpp"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>
#include <vector>

namespace livetape::bridge {
namespace {

TEST(OrderTable, KeepsWhatAnExecutionMustKnow) {
  OrderTable table(10);
  EXPECT_TRUE(table.insert({7, 1'234'500, 300, Side::sell}));
  EXPECT_FALSE(table.find(8));
  auto place = table.find(7);
  ASSERT_TRUE(place);
  table.take(place, 100);
  place = table.find(7);
  ASSERT_TRUE(place);
  const Order order = table.at(place);
  EXPECT_EQ(order.reference, 7U);
  EXPECT_EQ(order.price, 1'234'500U);
  EXPECT_EQ(order.shares, 200U);
  EXPECT_EQ(order.side, Side::sell);
  table.take(place, 200);
  EXPECT_FALSE(table.find(7));
  EXPECT_EQ(table.size(), 0U);
}

TEST(OrderTable, TakesTheNewerOfTwoWithOneReference) {
  OrderTable table(10);
  EXPECT_TRUE(table.insert({0, 1, 1, Side::buy}));
  EXPECT_FALSE(table.insert({0, 2, 2, Side::unknown}));
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.at(table.find(0)).shares, 2U);
  EXPECT_EQ(table.at(table.find(0)).side, Side::unknown);
}

/// References as a feed gives them out, others that share their lowest bits, and the greatest there is.
std::uint64_t reference(std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      return random() % 2'000;
    case 1:
      return (random() % 500) << 40;
    case 2:
      return OrderTable::kReferenceLimit - 1 - random() % 100;
    default:
      return random() % OrderTable::kReferenceLimit;
  }
}

TEST(OrderTable, IsAMapWhateverIsAddedAndTaken) {
  for (const std::size_t room : {std::size_t{0}, std::size_t{1'000}}) {
    std::mt19937_64 random(room + 1);
    OrderTable table(room);
    std::unordered_map<std::uint64_t, Order> expected;
    std::vector<std::uint64_t> known;
    for (int i = 0; i < 200'000; ++i) {
      const bool is_known = !known.empty() && random() % 2 == 0;
      const std::uint64_t key = is_known ? known[random() % known.size()] : reference(random);
      const auto shares = static_cast<std::uint32_t>(random() % 5 + 1);
      if (random() % 8 < 3) {
        const Order order{key, static_cast<std::uint32_t>(random()), shares, static_cast<Side>(random() % 3)};
        ASSERT_EQ(table.insert(order), !expected.contains(key));
        expected[key] = order;
        known.push_back(key);
      } else if (const auto place = table.find(key)) {
        ASSERT_TRUE(expected.contains(key));
        if (shares >= expected[key].shares) {
          expected.erase(key);
        } else {
          expected[key].shares -= shares;
        }
        table.take(place, shares);
      } else {
        ASSERT_FALSE(expected.contains(key));
      }
      ASSERT_EQ(table.size(), expected.size());
    }
    for (const auto& [key, order] : expected) {
      const auto place = table.find(key);
      ASSERT_TRUE(place);
      EXPECT_EQ(table.at(place).price, order.price);
      EXPECT_EQ(table.at(place).shares, order.shares);
      EXPECT_EQ(table.at(place).side, order.side);
    }
    table.clear();
    EXPECT_EQ(table.size(), 0U);
    for (const auto& [key, order] : expected) EXPECT_FALSE(table.find(key));
  }
}

}  // namespace
}  // namespace livetape::bridge
