#include "publish/retry_ring.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace livetape::bridge {
namespace {

constexpr std::size_t kBytes = 16 << 10;

/// A value that tells its number, of a size that changes with it.
std::vector<std::uint8_t> value_of(std::uint64_t sequence) {
  return std::vector<std::uint8_t>(1 + sequence % 200, static_cast<std::uint8_t>(sequence * 31));
}

std::string key_of(std::uint64_t sequence) { return "venue:" + std::to_string(sequence); }

void put(RetryRing& ring, std::uint64_t sequence) { ring.put(sequence, key_of(sequence), value_of(sequence)); }

::testing::AssertionResult is_whole(const KeptMessage& message, std::uint64_t sequence) {
  const std::string key(message.key().begin(), message.key().end());
  const std::vector<std::uint8_t> value(message.value().begin(), message.value().end());
  if (key == key_of(sequence) && value == value_of(sequence)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "message " << sequence << " has the key " << key << " and " << value.size()
                                       << " bytes";
}

TEST(RetryRing, HasNothingBeforeTheFirstMessage) {
  const RetryRing ring(kBytes);
  EXPECT_EQ(ring.last(), 0U);
  for (const std::uint64_t sequence : {0U, 1U, 2U}) EXPECT_FALSE(ring.get(sequence));
}

TEST(RetryRing, HasEveryMessageFromItsFirstToItsLastAndNoOther) {
  RetryRing ring(kBytes);
  for (std::uint64_t sequence = 1; sequence <= 5'000; ++sequence) {
    put(ring, sequence);
    ASSERT_EQ(ring.last(), sequence);
  }
  EXPECT_GT(ring.first(), 4'000U);
  EXPECT_LT(ring.first(), 4'990U);
  for (std::uint64_t sequence = 0; sequence < ring.first(); ++sequence) ASSERT_FALSE(ring.get(sequence));
  for (std::uint64_t sequence = ring.first(); sequence <= ring.last(); ++sequence) {
    const auto message = ring.get(sequence);
    ASSERT_TRUE(message) << sequence;
    ASSERT_TRUE(is_whole(*message, sequence));
  }
  EXPECT_FALSE(ring.get(ring.last() + 1));
}

TEST(RetryRing, KeepsSmallMessagesOnlyAsFarAsItCanFindThem) {
  RetryRing ring(kBytes);
  for (std::uint64_t sequence = 1; sequence <= 5'000; ++sequence) ring.put(sequence, "k", {});
  for (std::uint64_t sequence = 1; sequence <= 5'000; ++sequence) {
    ASSERT_EQ(ring.get(sequence).has_value(), sequence >= ring.first());
  }
}

TEST(RetryRing, KeepsTheLargestMessage) {
  RetryRing ring(1);
  const std::vector<std::uint8_t> large(RetryRing::kMaxMessageBytes - 3, 7);
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) ring.put(sequence, "key", large);
  EXPECT_EQ(ring.get(3)->bytes.size(), RetryRing::kMaxMessageBytes);
}

TEST(RetryRing, LetsGoOfWhatIsBeforeANumberThatWasLeftOut) {
  RetryRing ring(kBytes);
  for (const std::uint64_t sequence : {1, 2, 3, 7, 8}) put(ring, sequence);
  for (const std::uint64_t sequence : {1, 2, 3, 4, 5, 6}) EXPECT_FALSE(ring.get(sequence));
  for (const std::uint64_t sequence : {7, 8}) EXPECT_TRUE(is_whole(*ring.get(sequence), sequence));
}

TEST(RetryRing, HandsOutNoTornMessageWhileItIsOverwritten) {
  constexpr std::uint64_t kMessages = 200'000;
  RetryRing ring(kBytes);
  std::atomic<std::uint64_t> read = 0;
  std::atomic<bool> is_done = false;
  std::thread writer([&] {
    for (std::uint64_t sequence = 1; sequence <= kMessages || read == 0; ++sequence) put(ring, sequence);
    is_done = true;
  });
  while (!is_done) {
    // The oldest are those that are overwritten while they are read.
    for (std::uint64_t sequence = ring.first(), end = sequence + 4; sequence < end; ++sequence) {
      const auto message = ring.get(sequence);
      if (!message) continue;
      ++read;
      ASSERT_TRUE(is_whole(*message, sequence));
    }
  }
  writer.join();
  EXPECT_TRUE(is_whole(*ring.get(ring.last()), ring.last()));
}

}  // namespace
}  // namespace livetape::bridge
