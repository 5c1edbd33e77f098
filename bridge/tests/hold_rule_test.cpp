#include "exchange/hold_rule.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kHeld = 1'000 * kSecond;
constexpr std::int64_t kOverdue = kHeld + HoldRule::kLongestNs;

TEST(HoldRule, EndsAfterHalfAMinuteWhereBarsCanStillBeRevised) {
  HoldRule rule;
  rule.see_history(kOverdue);
  EXPECT_FALSE(rule.is_over(kHeld, kSecond, kOverdue - 1));
  EXPECT_TRUE(rule.is_over(kHeld, kSecond, kOverdue));
}

TEST(HoldRule, WaitsBehindALongOutageAsLongAsTheHistoryAnswers) {
  HoldRule rule;
  const std::int64_t hour_later = kHeld + 3'600 * kSecond;
  rule.see_history(hour_later);
  EXPECT_FALSE(rule.is_over(kHeld, HoldRule::kLongAgoNs, hour_later + 29 * kSecond));
  EXPECT_TRUE(rule.is_over(kHeld, HoldRule::kLongAgoNs, hour_later + 30 * kSecond));
}

TEST(HoldRule, DoesNotWaitForAHistoryThatHasAnsweredNothingSince) {
  HoldRule rule;
  rule.see_history(kHeld - 1);
  EXPECT_FALSE(rule.is_over(kHeld, HoldRule::kLongAgoNs, kOverdue - 1));
  EXPECT_TRUE(rule.is_over(kHeld, HoldRule::kLongAgoNs, kOverdue));
}

}  // namespace
}  // namespace livetape::bridge
