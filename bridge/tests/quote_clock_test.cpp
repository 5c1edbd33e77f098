#include "core/quote_clock.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kOursNs = 1'000 * kSecondNs;

TEST(QuoteClock, IsOursUntilTheVenueHasToldATime) {
  QuoteClock clock;
  EXPECT_EQ(clock.time_ns(kOursNs, 7, std::nullopt), kOursNs);
  EXPECT_EQ(clock.time_ns(kOursNs - 1, 8, std::nullopt), kOursNs - 1);
}

TEST(QuoteClock, IsTheVenuesTimeAndTheSteadyTimeSinceWhateverOurs) {
  QuoteClock clock;
  clock.see(500, 7);
  EXPECT_EQ(clock.time_ns(kOursNs, 17, std::nullopt), 510);
  EXPECT_EQ(clock.time_ns(-kOursNs, 27, std::nullopt), 520);
  clock.see(600, 30);
  EXPECT_EQ(clock.time_ns(kOursNs, 31, std::nullopt), 601);
}

TEST(QuoteClock, NeverGoesBackNorBehindTheClockThatWasTold) {
  QuoteClock clock;
  clock.see(500, 0);
  EXPECT_EQ(clock.time_ns(kOursNs, 100, std::nullopt), 600);
  clock.see(550, 110);  // on its way for longer than the one before
  EXPECT_EQ(clock.time_ns(kOursNs, 120, 590), 600);
  EXPECT_EQ(clock.time_ns(kOursNs, 120, 700), 700);
  EXPECT_EQ(clock.time_ns(kOursNs, 130, 700), 700);
  EXPECT_EQ(clock.time_ns(kOursNs, 300, 700), 740);
}

TEST(QuoteClock, WaitsForOurTimeOfQuotesBeforeTheFirstTradeWhereItIsALittleAhead) {
  QuoteClock clock;
  EXPECT_EQ(clock.time_ns(kOursNs, 0, std::nullopt), kOursNs);
  clock.see(kOursNs - kSecondNs, 0);
  EXPECT_EQ(clock.time_ns(kOursNs, 5, std::nullopt), kOursNs);
  EXPECT_EQ(clock.time_ns(kOursNs, kSecondNs + 5, std::nullopt), kOursNs + 5);
}

TEST(QuoteClock, DoesNotWaitForOurTimeWhereItIsFarAhead) {
  QuoteClock clock;
  EXPECT_EQ(clock.time_ns(kOursNs, 0, std::nullopt), kOursNs);
  const std::int64_t old_ns = kOursNs - 2 * kSecondNs;
  clock.see(old_ns, 0);
  EXPECT_EQ(clock.time_ns(kOursNs, 5, std::nullopt), old_ns + 5);
  const std::int64_t later_ns = 3 * kSecondNs / 2;  // it has come near, and is not waited for now either
  EXPECT_EQ(clock.time_ns(kOursNs, later_ns, std::nullopt), old_ns + later_ns);
}

TEST(QuoteClock, TellsTheVenuesTimeOnceItHasToldOne) {
  QuoteClock clock;
  EXPECT_FALSE(clock.venue_time_ns(7));
  clock.see(500, 7);
  EXPECT_EQ(clock.venue_time_ns(17), 510);
}

}  // namespace
}  // namespace livetape::bridge
