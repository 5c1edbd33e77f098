#include "exchange/quote_watch.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

const std::vector<Subscription> kSubscriptions{
    {Channel::trades, 0}, {Channel::trades, 1}, {Channel::quotes, 0}, {Channel::quotes, 1}, {Channel::quotes, 2}};

TEST(QuoteWatch, NamesEachThatIsSilentOnceSomeTimeAfterARefusal) {
  QuoteWatch watch(3);
  watch.see(1);
  EXPECT_FALSE(watch.next(kSubscriptions, 1'000));  // nothing was refused
  watch.look_at(2'000);
  EXPECT_FALSE(watch.next(kSubscriptions, 1'999));
  EXPECT_EQ(watch.next(kSubscriptions, 2'000), (Subscription{Channel::quotes, 0}));
  EXPECT_EQ(watch.next(kSubscriptions, 2'001), (Subscription{Channel::quotes, 2}));
  EXPECT_FALSE(watch.next(kSubscriptions, 2'002));
}

TEST(QuoteWatch, PassesOverOneThatShowsItselfMeanwhile) {
  QuoteWatch watch(3);
  watch.look_at(2'000);
  EXPECT_EQ(watch.next(kSubscriptions, 2'000), (Subscription{Channel::quotes, 0}));
  watch.see(1);
  EXPECT_EQ(watch.next(kSubscriptions, 2'000), (Subscription{Channel::quotes, 2}));
}

TEST(QuoteWatch, BeginsAnewWithEachConnection) {
  QuoteWatch watch(3);
  watch.see(0);
  watch.look_at(2'000);
  EXPECT_EQ(watch.next(kSubscriptions, 2'000), (Subscription{Channel::quotes, 1}));
  watch.begin();
  EXPECT_FALSE(watch.next(kSubscriptions, 3'000));
  watch.look_at(4'000);
  EXPECT_EQ(watch.next(kSubscriptions, 4'000), (Subscription{Channel::quotes, 0}));
}

}  // namespace
}  // namespace livetape::bridge
