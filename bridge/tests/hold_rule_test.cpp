#include "exchange/hold_rule.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kHeld = 1'000 * kSecond;
constexpr std::int64_t kOverdue = kHeld + HoldRule::kLongestNs;

TEST(HoldRule, EndsAfterHalfAMinuteWhereBarsCanStillBeRevised) {
  HoldRule rule(2);
  rule.see_answer(1, kOverdue);
  EXPECT_FALSE(rule.is_over(0, kHeld, kSecond, kOverdue - 1));
  EXPECT_TRUE(rule.is_over(0, kHeld, kSecond, kOverdue));
}

TEST(HoldRule, WaitsBehindALongOutageAsLongAsTheHistoryAnswers) {
  HoldRule rule(2);
  const std::int64_t hour_later = kHeld + 3'600 * kSecond;
  rule.see_answer(1, hour_later);
  EXPECT_FALSE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, hour_later + 29 * kSecond));
  EXPECT_TRUE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, hour_later + 30 * kSecond));
}

TEST(HoldRule, DoesNotWaitForAnInstrumentThatIsAskedForInVainWhileOthersHaveAnswers) {
  HoldRule rule(2);
  rule.see_answer(1, kOverdue);
  rule.see_failure(0, kHeld + 5 * kSecond);
  rule.see_failure(0, kOverdue - kSecond);
  EXPECT_FALSE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue + 5 * kSecond));
  rule.see_failure(0, kOverdue + 5 * kSecond);
  EXPECT_TRUE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue + 5 * kSecond));
  rule.see_answer(0, kOverdue + 5 * kSecond);
  EXPECT_FALSE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue + 5 * kSecond));
}

TEST(HoldRule, WaitsForTheNextTurnOfAnInstrumentThatWasAskedForInVainOnce) {
  HoldRule rule(2);
  rule.see_failure(0, kHeld);
  rule.see_answer(1, kOverdue + 60 * kSecond);
  EXPECT_FALSE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue + 60 * kSecond));
  EXPECT_FALSE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue + 89 * kSecond));
  EXPECT_TRUE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue + 90 * kSecond)) << "nothing is answered any more";
  rule.see_answer(1, kOverdue + 90 * kSecond);
  rule.see_failure(0, kOverdue + 90 * kSecond);
  EXPECT_TRUE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue + 90 * kSecond)) << "its turn came";
}

TEST(HoldRule, KnowsNoFailureOfASearchThatHasEnded) {
  HoldRule rule(2);
  rule.see_failure(0, kHeld - 60 * kSecond);
  rule.forget(0);
  rule.see_failure(0, kHeld);
  rule.see_answer(1, kOverdue);
  EXPECT_FALSE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue));
}

TEST(HoldRule, DoesNotWaitForAHistoryThatHasAnsweredNothingSince) {
  HoldRule rule(2);
  rule.see_answer(1, kHeld - 1);
  EXPECT_FALSE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue - 1));
  EXPECT_TRUE(rule.is_over(0, kHeld, HoldRule::kLongAgoNs, kOverdue));
}

}  // namespace
}  // namespace livetape::bridge
