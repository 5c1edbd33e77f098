#include "core/spsc_ring.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace livetape::bridge {
namespace {

TEST(SpscRing, RefusesWhenFullAndGivesInOrder) {
  SpscRing<int> ring(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(i));
  EXPECT_FALSE(ring.push(4));
  for (int i = 0; i < 4; ++i) {
    ASSERT_NE(ring.front(), nullptr);
    EXPECT_EQ(*ring.front(), i);
    ring.pop();
  }
  EXPECT_EQ(ring.front(), nullptr);
}

TEST(SpscRing, TellsHowManyItTakes) {
  SpscRing<int> ring(4);
  EXPECT_EQ(ring.room(), 4U);
  for (std::size_t room = 3; ring.push(1); --room) EXPECT_EQ(ring.room(), room);
  EXPECT_EQ(ring.room(), 0U);
  ASSERT_NE(ring.front(), nullptr);
  ring.pop();
  EXPECT_EQ(ring.room(), 1U);
}

TEST(SpscRing, LosesNothingBetweenTwoThreads) {
  constexpr int kItems = 200'000;
  SpscRing<int> ring(64);
  std::thread producer([&] {
    for (int i = 0; i < kItems; ++i) {
      while (!ring.push(i)) std::this_thread::yield();
    }
  });
  for (int i = 0; i < kItems; ++i) {
    const int* item = ring.front();
    for (; item == nullptr; item = ring.front()) std::this_thread::yield();
    ASSERT_EQ(*item, i);
    ring.pop();
  }
  producer.join();
}

}  // namespace
}  // namespace livetape::bridge
