#include "publish/publisher_thread.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace livetape::bridge {
namespace {

using Ring = SpscRing<Message>;

Message numbered(std::uint64_t sequence) {
  Message message;
  message.sequence = sequence;
  return message;
}

/// What a publisher took, a list a ring.
struct Taken {
  std::vector<std::vector<std::uint64_t>> sequences{2};
  void operator()(std::size_t ring, const Message& message) { sequences[ring].push_back(message.sequence); }
};

TEST(PublisherThread, TakesEveryMessageOfEveryRingInOrderBeforeItEnds) {
  constexpr std::uint64_t kMessages = 50'000;
  Ring first(1'024);
  Ring second(1'024);
  Taken taken;
  PublisherThread publisher("test", {&first, &second}, std::ref(taken), [] {});
  const auto produce = [](Ring& ring) {
    for (std::uint64_t i = 1; i <= kMessages; ++i) {
      while (!ring.push(numbered(i))) std::this_thread::yield();
    }
  };
  std::thread other([&] { produce(second); });
  produce(first);
  other.join();
  publisher.stop();
  for (const auto& sequences : taken.sequences) {
    ASSERT_EQ(sequences.size(), kMessages);
    for (std::uint64_t i = 0; i < kMessages; ++i) ASSERT_EQ(sequences[i], i + 1);
  }
}

TEST(PublisherThread, LetsNoVenueWaitForABusyOne) {
  constexpr std::uint64_t kMany = 4'096;
  Ring busy(kMany);
  Ring quiet(16);
  for (std::uint64_t i = 0; i < kMany; ++i) ASSERT_TRUE(busy.push(numbered(i)));
  ASSERT_TRUE(quiet.push(numbered(1)));
  std::vector<std::size_t> order;
  PublisherThread publisher(
      "test", {&busy, &quiet}, [&](std::size_t ring, const Message&) { order.push_back(ring); }, [] {});
  publisher.stop();
  const auto turn = std::ranges::find(order, 1U) - order.begin();
  EXPECT_LT(turn, 1'024);
  EXPECT_EQ(order.size(), kMany + 1);
}

TEST(PublisherThread, IsWokenByWhoeverRingsForWhatWasPushedSilently) {
  Ring ring(16);
  std::atomic<std::uint64_t> taken{0};
  PublisherThread publisher(
      "test", {&ring}, [&](std::size_t, const Message& message) { taken = message.sequence; }, [] {});
  for (std::uint64_t number = 1; number <= 100; ++number) {
    ASSERT_TRUE(ring.push_silently(numbered(number)));
    ring.ring();
    while (taken != number) std::this_thread::yield();
  }
}

TEST(PublisherThread, EndsItsTurnAfterWhatItTookAndAlsoWithNothingToTake) {
  Ring ring(16);
  std::atomic<int> turns{0};
  std::atomic<bool> is_open{false};
  PublisherThread publisher(
      "test", {&ring}, [&](std::size_t, const Message&) { is_open = true; },
      [&] {
        ++turns;
        is_open = false;
      });
  while (turns < 3) std::this_thread::yield();
  ASSERT_TRUE(ring.push(numbered(1)));
  publisher.stop();
  EXPECT_FALSE(is_open);
}

}  // namespace
}  // namespace livetape::bridge
