#include "exchange/hold_bound.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace livetape::bridge {
namespace {

using Waiting = std::vector<HoldBound::Waiting>;
constexpr std::int64_t kLong = HoldRule::kLongAgoNs;

TEST(HoldBound, LetsThoseBehindAShortGapGoBeforeThoseBehindALongOne) {
  EXPECT_EQ(HoldBound::first_to_go(Waiting{{4, 900, kLong}, {7, 1, kLong - 1}, {9, 500, 2 * kLong}}), 7U);
}

TEST(HoldBound, OfEqualGapsLetsTheMostTradesGo) {
  EXPECT_EQ(HoldBound::first_to_go(Waiting{{1, 10, 5 * kLong}, {2, 30, kLong}, {3, 20, 2 * kLong}}), 2U);
  EXPECT_EQ(HoldBound::first_to_go(Waiting{{1, 10, 0}, {2, 30, kLong}, {3, 20, 1}}), 3U);
}

TEST(HoldBound, LetsNoneGoThatWouldMakeNoRoom) {
  EXPECT_EQ(HoldBound::first_to_go(Waiting{{1, 0, 0}, {2, 5, kLong}, {3, 0, 1}}), 2U);
}

}  // namespace
}  // namespace livetape::bridge
