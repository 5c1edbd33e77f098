#include "publish/delivery_window.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

TEST(DeliveryWindow, ConfirmsOnlyWhatHasNothingUndeliveredBeforeIt) {
  DeliveryWindow window(8);
  EXPECT_EQ(window.confirmed(), 0U);
  for (const std::uint64_t sequence : {5U, 6U, 7U}) window.sent(sequence, 1);
  EXPECT_EQ(window.confirmed(), 4U);
  window.delivered(6);
  EXPECT_EQ(window.confirmed(), 4U);
  window.delivered(5);
  EXPECT_EQ(window.confirmed(), 6U);
  window.delivered(7);
  EXPECT_EQ(window.confirmed(), 7U);
}

TEST(DeliveryWindow, ConfirmsAClockWithItsLastCopy) {
  DeliveryWindow window(8);
  window.sent(1, 3);
  window.sent(2, 1);
  window.delivered(2);
  window.delivered(1);
  window.delivered(1);
  EXPECT_EQ(window.confirmed(), 0U);
  window.delivered(1);
  EXPECT_EQ(window.confirmed(), 2U);
}

TEST(DeliveryWindow, PassesOverNumbersThatWereLeftOut) {
  DeliveryWindow window(8);
  window.sent(1, 1);
  window.sent(4, 1);
  window.delivered(4);
  EXPECT_EQ(window.confirmed(), 0U);
  window.delivered(1);
  EXPECT_EQ(window.confirmed(), 4U);
}

TEST(DeliveryWindow, GoesOnBehindMoreLostNumbersThanItCanCount) {
  DeliveryWindow window(8);
  window.sent(1, 1);
  EXPECT_FALSE(window.has_room(1'000)) << "what is under way must be confirmed first";
  window.delivered(1);
  ASSERT_TRUE(window.has_room(1'000));
  window.sent(1'000, 1);
  EXPECT_EQ(window.confirmed(), 999U);
  window.delivered(1'000);
  EXPECT_EQ(window.confirmed(), 1'000U);
}

TEST(DeliveryWindow, HasRoomForAsManyAsItCanCount) {
  DeliveryWindow window(4);
  for (std::uint64_t sequence = 10; sequence < 14; ++sequence) {
    ASSERT_TRUE(window.has_room(sequence));
    window.sent(sequence, 1);
  }
  EXPECT_FALSE(window.has_room(14));
  window.delivered(11);
  EXPECT_FALSE(window.has_room(14));
  window.delivered(10);
  EXPECT_TRUE(window.has_room(15));
  EXPECT_FALSE(window.has_room(16));
}

}  // namespace
}  // namespace livetape::bridge
