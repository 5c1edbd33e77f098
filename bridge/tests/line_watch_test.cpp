#include "nic/line_watch.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace livetape::bridge::mold {
namespace {

using Told = std::vector<std::string>;
constexpr std::int64_t kSecondNs = 1'000'000'000;

class LineWatchTest : public testing::Test {
 protected:
  Told at(int second) {
    Told told;
    watch_.look(second * kSecondNs, [&](const std::string& what) { told.push_back(what); });
    return told;
  }
  void hear(std::size_t line, int second) { watch_.hear(line, second * kSecondNs); }

  LineWatch watch_{{"A", "B"}};
};

TEST_F(LineWatchTest, TellsOnceOfALineThatIsSilentWhileTheOtherIsHeardAndOnceThatItIsBack) {
  EXPECT_EQ(at(100), Told{});
  hear(0, 103);
  EXPECT_EQ(at(104), Told{});
  hear(0, 106);
  EXPECT_EQ(at(106), Told{"line B is silent, others are heard"});
  EXPECT_EQ(at(107), Told{});
  hear(1, 108);
  EXPECT_EQ(at(108), Told{"line B is heard again"});
}

TEST_F(LineWatchTest, TellsNothingOfAFeedThatIsSilentAsAWhole) {
  EXPECT_EQ(at(100), Told{});
  hear(0, 101);
  hear(1, 102);
  EXPECT_EQ(at(110), Told{});
  hear(1, 111);
  EXPECT_EQ(at(111), Told{"line A is silent, others are heard"});
}

}  // namespace
}  // namespace livetape::bridge::mold
