#include "nic/feed_hearing.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge::mold {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(FeedHearing, IsSilentBeforeTheFirstPacketAndSomeSecondsBehindTheLast) {
  FeedHearing hearing;
  EXPECT_EQ(hearing.at(0), Hearing::silence);
  hearing.see(false, 0);
  EXPECT_EQ(hearing.at(FeedHearing::kSilenceNs - 1), Hearing::current);
  EXPECT_EQ(hearing.at(FeedHearing::kSilenceNs), Hearing::silence);
  hearing.see(false, 9 * kSecond);
  EXPECT_EQ(hearing.at(9 * kSecond), Hearing::current);
}

TEST(FeedHearing, IsOfThePastWhereNothingElseComesForSeconds) {
  FeedHearing hearing;
  hearing.see(false, 0);
  for (std::int64_t now_ns = kSecond; now_ns <= FeedHearing::kSilenceNs; now_ns += kSecond) hearing.see(true, now_ns);
  EXPECT_EQ(hearing.at(FeedHearing::kSilenceNs), Hearing::past);
  hearing.see(false, FeedHearing::kSilenceNs);
  EXPECT_EQ(hearing.at(FeedHearing::kSilenceNs), Hearing::current);
}

TEST(FeedHearing, IsOfThePastBehindASilenceOnceThatHasGoneOnForSeconds) {
  FeedHearing hearing;
  hearing.see(false, 0);
  hearing.see(true, 60 * kSecond);
  EXPECT_EQ(hearing.at(70 * kSecond), Hearing::silence) << "one packet is of a line that lags";
  hearing.see(true, 60 * kSecond + FeedHearing::kPastNs);
  EXPECT_EQ(hearing.at(70 * kSecond), Hearing::past);
}

TEST(FeedHearing, IsNotOfThePastForALineThatLags) {
  FeedHearing hearing;
  for (std::int64_t now_ns = 0; now_ns < 60 * kSecond; now_ns += kSecond) {
    hearing.see(false, now_ns);
    hearing.see(true, now_ns + kSecond / 2);
    EXPECT_FALSE(hearing.is_stale(now_ns + kSecond / 2));
  }
  EXPECT_EQ(hearing.at(70 * kSecond), Hearing::silence);
}

}  // namespace
}  // namespace livetape::bridge::mold
