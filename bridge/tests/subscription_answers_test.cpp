#include "exchange/subscription_answers.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

TEST(SubscriptionAnswers, SettleOnceWhenAllWasSentWhereNoneIsWaitedFor) {
  SubscriptionAnswers answers;
  answers.begin(0);
  EXPECT_FALSE(answers.settle(5));
  answers.sent(6);
  EXPECT_TRUE(answers.settle(6));
  EXPECT_FALSE(answers.settle(7));
}

TEST(SubscriptionAnswers, SettleWithTheLastAnswer) {
  SubscriptionAnswers answers;
  answers.begin(3);
  answers.take();
  answers.sent(5);
  EXPECT_FALSE(answers.settle(5));
  answers.take();
  EXPECT_FALSE(answers.settle(6));
  answers.take();
  EXPECT_TRUE(answers.settle(7));
  answers.take();  // nobody asked for it
  EXPECT_FALSE(answers.settle(8));
}

TEST(SubscriptionAnswers, SettleNotBeforeAllWasSent) {
  SubscriptionAnswers answers;
  answers.begin(1);
  answers.take();
  EXPECT_FALSE(answers.settle(100 * kSecondNs));
  answers.sent(101 * kSecondNs);
  EXPECT_TRUE(answers.settle(101 * kSecondNs));
}

TEST(SubscriptionAnswers, SettleWithoutAVenueThatDoesNotAnswer) {
  SubscriptionAnswers answers;
  answers.begin(2);
  answers.sent(5);
  answers.take();
  EXPECT_FALSE(answers.settle(60 * kSecondNs + 4));
  EXPECT_TRUE(answers.settle(60 * kSecondNs + 5));
  EXPECT_FALSE(answers.settle(120 * kSecondNs));
}

TEST(SubscriptionAnswers, SettleAgainWhereASubscriptionIsMadeAgain) {
  SubscriptionAnswers answers;
  answers.begin(0);
  answers.sent(5);
  EXPECT_TRUE(answers.settle(5));
  answers.sent_another(6);
  EXPECT_FALSE(answers.settle(7));
  answers.take();
  EXPECT_TRUE(answers.settle(8));
}

}  // namespace
}  // namespace livetape::bridge
