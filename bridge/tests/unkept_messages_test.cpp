#include "publish/unkept_messages.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

TEST(UnkeptMessages, SettleAllWhereThereAreNone) {
  UnkeptMessages unkept;
  EXPECT_EQ(unkept.settled(3), 3U);
  EXPECT_EQ(unkept.settled(5), 5U);
}

TEST(UnkeptMessages, SettleNothingBehindThemUntilTheBrokersHaveThem) {
  UnkeptMessages unkept;
  EXPECT_EQ(unkept.settled(3), 3U);
  unkept.add(4);
  unkept.add(5);
  EXPECT_EQ(unkept.settled(5), 3U);
  unkept.confirm(4);
  EXPECT_EQ(unkept.settled(9), 3U) << "those behind them are kept, and change nothing";
  EXPECT_EQ(unkept.size(), 1U);
  unkept.confirm(5);
  EXPECT_EQ(unkept.size(), 0U);
  EXPECT_EQ(unkept.settled(9), 9U);
}

TEST(UnkeptMessages, SettleWhatTheBrokersHaveWhileOthersAreAlwaysUnderWay) {
  UnkeptMessages unkept;
  std::size_t settled = 0;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    unkept.add(number);
    unkept.confirm(number - 1);
    settled = unkept.settled(number);
    EXPECT_LT(settled, number);
  }
  EXPECT_GE(settled, 97U);
}

TEST(UnkeptMessages, AreNumberedApartFromTheMessagesThatWereSeenTo) {
  UnkeptMessages unkept;
  unkept.add(2);  // a gap that tells of the messages 1 to 10
  EXPECT_EQ(unkept.settled(10), 0U);
  unkept.confirm(2);
  EXPECT_EQ(unkept.settled(10), 10U);
}

}  // namespace
}  // namespace livetape::bridge
