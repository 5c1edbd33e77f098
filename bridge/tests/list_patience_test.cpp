#include "exchange/list_patience.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

using namespace std::chrono_literals;

TEST(ListPatience, AListThatLacksAnInstrumentIsReadEverMoreRarelyDownToOnceAnHour) {
  ListPatience patience(60s);
  for (const auto wait : {5min, 10min, 20min, 40min, 60min, 60min}) {
    EXPECT_EQ(patience.wait(), wait);
    patience.grow();
  }
}

TEST(ListPatience, AListIsReadOnceAnHourAtLeast) { EXPECT_EQ(ListPatience(24h).wait(), 1h); }

}  // namespace
}  // namespace livetape::bridge
