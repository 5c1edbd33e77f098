#include "exchange/rest_limits.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

using namespace std::chrono_literals;

constexpr auto kThreeDays = std::chrono::days(3);

TEST(RestLimits, AVenueIsLeftAloneForAsLongAsItSaysWithinBounds) {
  EXPECT_EQ(wait_of(429, "7"), 7s);
  EXPECT_EQ(wait_of(429, "301"), 300s);
  EXPECT_EQ(wait_of(418, "301"), 301s);
  EXPECT_EQ(wait_of(418, "259201"), kThreeDays);
  EXPECT_EQ(wait_of(403, "1200"), 1'200s);
  EXPECT_EQ(wait_of(403, "9999999999999"), kThreeDays);
}

TEST(RestLimits, AVenueThatDoesNotSayUntilWhenIsLeftAloneForItsShortestBan) {
  for (const char* const unsaid : {"", "0", "-1", "Fri, 31 Dec 1999 23:59:59 GMT", "99999999999999999999"}) {
    EXPECT_EQ(wait_of(429, unsaid), 10s) << unsaid;
    EXPECT_EQ(wait_of(418, unsaid), 120s) << unsaid;
    EXPECT_EQ(wait_of(403, unsaid), 600s) << unsaid;
  }
}

TEST(RestLimits, AVenueThatIsAwayIsLeftAloneForAsLongAsItSaysAndElseNotAtAll) {
  EXPECT_EQ(wait_of(503, "60"), 60s);
  EXPECT_EQ(wait_of(503, "301"), 300s);
  EXPECT_EQ(wait_of(503, ""), 0s);
}

TEST(RestLimits, AHandshakeIsTriedAgainSoonerThanRestWhereTheVenueOnlyForbidsIt) {
  EXPECT_EQ(handshake_wait_of(429, "7"), 7s);
  EXPECT_EQ(handshake_wait_of(418, ""), 120s);
  EXPECT_EQ(handshake_wait_of(403, ""), 60s);
  EXPECT_EQ(handshake_wait_of(403, "1200"), 60s);
  EXPECT_EQ(handshake_wait_of(403, "7"), 7s);
  EXPECT_EQ(handshake_wait_of(451, "7"), 0s);
}

TEST(RestLimits, AVenueIsLeftAloneThatRefusesAnythingWithinAnAnswer) {
  EXPECT_EQ(wait_of(Refusal{"EGeneral:Too many requests", true}), 10s);
  EXPECT_EQ(wait_of(Refusal{"EQuery:Unknown asset pair", false}), 0s);
}

TEST(RestLimits, OtherErrorsAskForNoWait) {
  for (const unsigned status : {301U, 404U, 451U, 500U, 502U}) EXPECT_EQ(wait_of(status, "60"), 0s) << status;
}

TEST(RestLimits, MissingTradesAreAskedForOnceMoreWhereABanEndsAboutWhenTheyAreGivenUp) {
  EXPECT_EQ(look_again(2min, 0s), 2min);
  EXPECT_EQ(look_again(10min, 5s), 10min) << "Bybit's ban, at the first question";
  EXPECT_EQ(look_again(1ms, 11min), 1ms);
}

TEST(RestLimits, MissingTradesAreGivenUpInTimeWhereABanIsLong) {
  EXPECT_EQ(look_again(kThreeDays, 0s), 10min);
  EXPECT_EQ(look_again(kThreeDays, 10min - 1ns), 1ms);
  EXPECT_EQ(look_again(kThreeDays, 10min), std::nullopt);
  EXPECT_EQ(look_again(10min, 11min), std::nullopt) << "the last question was answered by another ban";
}

}  // namespace
}  // namespace livetape::bridge
