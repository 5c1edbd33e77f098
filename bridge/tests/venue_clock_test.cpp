#include "core/venue_clock.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

TEST(VenueClock, TellsNothingBeforeTheFirstVenueTime) { EXPECT_FALSE(VenueClock(10).time_ns(5).has_value()); }

TEST(VenueClock, MovesOnBySteadyTimeLessItsDelay) {
  VenueClock clock(100);
  clock.see(1'000, 7);
  EXPECT_EQ(clock.time_ns(7), 900);
  EXPECT_EQ(clock.time_ns(57), 950);
}

TEST(VenueClock, FollowsTheVenueThoughItsTimeCameAfterWhatIsKnownToBeTold) {
  VenueClock clock(100);
  clock.see(1'000, 70);
  EXPECT_EQ(clock.time_ns(20), 900);
}

TEST(VenueClock, NeverGoesBack) {
  VenueClock clock(0);
  clock.see(1'000, 0);
  EXPECT_EQ(clock.time_ns(500), 1'500);
  clock.see(1'200, 600);  // the venue's newest time is behind what steady time made of the one before
  EXPECT_EQ(clock.time_ns(600), 1'500);
  EXPECT_EQ(clock.time_ns(1'000), 1'600);
  clock.see(900, 1'000);
  EXPECT_EQ(clock.time_ns(1'000), 1'600);
}

}  // namespace
}  // namespace livetape::bridge
