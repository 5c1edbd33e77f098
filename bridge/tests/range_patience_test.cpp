#include "exchange/range_patience.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kStart = 500 * kSecond;
constexpr MissingIds kRange{4, 7, 0, 0};

/// The seconds between the questions of a history that answers without the range each time, until that is given up.
std::vector<std::int64_t> waits(RangePatience& patience, const MissingIds& range, bool has_newer) {
  std::vector<std::int64_t> seconds;
  std::int64_t now_ns = kStart;
  while (patience.go_on(range, has_newer, now_ns)) {
    const std::int64_t wait_ns = patience.wait(range, now_ns).count();
    seconds.push_back(wait_ns / kSecond);
    now_ns += wait_ns;
  }
  return seconds;
}

TEST(RangePatience, AHistoryThatIsBehindIsGivenHalfAMinute) {
  RangePatience patience{std::chrono::seconds(1)};
  EXPECT_EQ(waits(patience, kRange, false), (std::vector<std::int64_t>{1, 2, 4, 8, 15}));
}

TEST(RangePatience, OneThatHasNewerTradesIsAskedThreeTimes) {
  RangePatience patience{std::chrono::seconds(1)};
  EXPECT_EQ(waits(patience, kRange, true), (std::vector<std::int64_t>{1, 2}));
}

TEST(RangePatience, OneThatHasJustBecomeNewerIsAskedAgain) {
  RangePatience patience{std::chrono::seconds(1)};
  EXPECT_TRUE(patience.go_on(kRange, false, kStart));
  EXPECT_TRUE(patience.go_on(kRange, false, kStart + kSecond));
  EXPECT_TRUE(patience.go_on(kRange, true, kStart + 3 * kSecond));
  EXPECT_TRUE(patience.go_on(kRange, true, kStart + 7 * kSecond));
  EXPECT_FALSE(patience.go_on(kRange, true, kStart + 15 * kSecond));
}

TEST(RangePatience, IsOfOneRange) {
  RangePatience patience{std::chrono::seconds(1)};
  constexpr MissingIds kRest{5, 7, 0, 0};
  EXPECT_TRUE(patience.go_on(kRange, false, kStart));
  EXPECT_EQ(patience.wait(kRange, kStart), std::chrono::seconds(1));
  EXPECT_EQ(patience.wait(kRange, kStart + 9 * kSecond), std::chrono::seconds(0));
  EXPECT_EQ(patience.wait(kRest, kStart), std::chrono::seconds(0)) << "some of it came: the rest is asked for at once";
  EXPECT_EQ(waits(patience, kRest, false), (std::vector<std::int64_t>{1, 2, 4, 8, 15}));
  EXPECT_EQ(waits(patience, kRest, true), (std::vector<std::int64_t>{1, 2})) << "given up, it is one like any other";
}

}  // namespace
}  // namespace livetape::bridge
