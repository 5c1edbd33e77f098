#include "core/quote_clock.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kMinuteNs = 60 * kSecondNs;
constexpr std::int64_t kOursNs = 1'000 * kSecondNs;

TEST(QuoteClock, IsOursUntilTheVenueHasToldATime) {
  QuoteClock clock(0);
  EXPECT_EQ(clock.time_ns(kOursNs, 7, std::nullopt), kOursNs);
  EXPECT_EQ(clock.time_ns(kOursNs - 1, 8, std::nullopt), kOursNs - 1);
}

TEST(QuoteClock, IsTheVenuesTimeAndTheSteadyTimeSinceWhateverOurs) {
  QuoteClock clock(0);
  clock.see(500, 7);
  EXPECT_EQ(clock.time_ns(kOursNs, 17, std::nullopt), 510);
  EXPECT_EQ(clock.time_ns(-kOursNs, 27, std::nullopt), 520);
  clock.see(600, 30);
  EXPECT_EQ(clock.time_ns(kOursNs, 31, std::nullopt), 601);
}

TEST(QuoteClock, NeverGoesBackNorBehindTheClockThatWasTold) {
  QuoteClock clock(0);
  clock.see(500, 0);
  EXPECT_EQ(clock.time_ns(kOursNs, 100, std::nullopt), 600);
  EXPECT_EQ(clock.time_ns(kOursNs, 90, 590), 600);
  EXPECT_EQ(clock.time_ns(kOursNs, 120, 700), 700);
  EXPECT_EQ(clock.time_ns(kOursNs, 130, 700), 700);
  EXPECT_EQ(clock.time_ns(kOursNs, 300, 700), 800);
}

TEST(QuoteClock, IsToldByTheFastestTradeOfTheLastMinute) {
  QuoteClock clock(0);
  clock.see(500, 0);
  clock.see(550, 110);  // on its way for longer than the one before
  EXPECT_EQ(clock.time_ns(kOursNs, 120, std::nullopt), 620);
  clock.see(kMinuteNs / 2, kMinuteNs / 2 + 700);
  EXPECT_EQ(clock.time_ns(kOursNs, kMinuteNs / 2 + 800, std::nullopt), kMinuteNs / 2 + 1'300);
  clock.see(2 * kMinuteNs, 2 * kMinuteNs + 900);
  EXPECT_EQ(clock.time_ns(kOursNs, 2 * kMinuteNs + 900, std::nullopt), 2 * kMinuteNs);
}

TEST(QuoteClock, IsHardlyBehindTheNewestTradeWhereAllHasWaitedOnItsWay) {
  constexpr std::int64_t kMostNs = QuoteClock::kMostFasterNs;
  QuoteClock clock(0);
  clock.see(500, 0);
  clock.see(kSecondNs, 3 * kSecondNs);
  EXPECT_EQ(clock.time_ns(kOursNs, 3 * kSecondNs, std::nullopt), kSecondNs + kMostNs);
  EXPECT_EQ(clock.time_ns(kOursNs, 3 * kSecondNs + 7, std::nullopt), kSecondNs + 7 + kMostNs);
}

TEST(QuoteClock, IsBehindTheTradeThatComesSoonAfterTheQuoteThatItMade) {
  constexpr std::int64_t kLeadNs = 500;
  QuoteClock clock(kLeadNs);
  clock.see(10'000, 0);
  const std::int64_t trade_ns = 12'000;
  EXPECT_LE(clock.time_ns(kOursNs, trade_ns - 10'000 - kLeadNs - 1, std::nullopt), trade_ns);  // what it met
  EXPECT_GE(clock.time_ns(kOursNs, trade_ns - 10'000 - kLeadNs + 1, std::nullopt), trade_ns);  // what it left
}

TEST(QuoteClock, WaitsForOurTimeOfQuotesBeforeTheFirstTradeWhereItIsALittleAhead) {
  QuoteClock clock(0);
  EXPECT_EQ(clock.time_ns(kOursNs, 0, std::nullopt), kOursNs);
  clock.see(kOursNs - kSecondNs, 0);
  EXPECT_EQ(clock.time_ns(kOursNs, 5, std::nullopt), kOursNs);
  EXPECT_EQ(clock.time_ns(kOursNs, kSecondNs + 5, std::nullopt), kOursNs + 5);
}

TEST(QuoteClock, DoesNotWaitForOurTimeWhereItIsFarAhead) {
  QuoteClock clock(0);
  EXPECT_EQ(clock.time_ns(kOursNs, 0, std::nullopt), kOursNs);
  const std::int64_t old_ns = kOursNs - 2 * kSecondNs;
  clock.see(old_ns, 0);
  EXPECT_EQ(clock.time_ns(kOursNs, 5, std::nullopt), old_ns + 5);
  const std::int64_t later_ns = 3 * kSecondNs / 2;  // it has come near, and is not waited for now either
  EXPECT_EQ(clock.time_ns(kOursNs, later_ns, std::nullopt), old_ns + later_ns);
}

TEST(QuoteClock, TellsTheVenuesTimeOnceItHasToldOne) {
  QuoteClock clock(0);
  EXPECT_FALSE(clock.venue_time_ns(7));
  clock.see(500, 7);
  EXPECT_EQ(clock.venue_time_ns(17), 510);
}

}  // namespace
}  // namespace livetape::bridge
