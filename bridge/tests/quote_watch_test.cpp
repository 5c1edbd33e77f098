#include "exchange/quote_watch.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace livetape::bridge {
namespace {

const std::vector<Subscription> kSubscriptions{
    {Channel::trades, 0}, {Channel::trades, 1}, {Channel::quotes, 0}, {Channel::quotes, 1}, {Channel::quotes, 2}};
constexpr std::int64_t kPatience = 100;

TEST(QuoteWatch, NamesEachThatIsSilentOnceSomeTimeAfterARefusal) {
  QuoteWatch watch(3, kPatience);
  watch.see(1, 900);
  EXPECT_FALSE(watch.next(kSubscriptions, 1'000));  // nothing was refused
  watch.look_at(2'000);
  EXPECT_FALSE(watch.next(kSubscriptions, 1'999));
  EXPECT_EQ(watch.next(kSubscriptions, 2'000), (Subscription{Channel::quotes, 0}));
  EXPECT_EQ(watch.next(kSubscriptions, 2'001), (Subscription{Channel::quotes, 2}));
  EXPECT_FALSE(watch.next(kSubscriptions, 2'002));
}

TEST(QuoteWatch, PassesOverOneThatShowsItselfMeanwhile) {
  QuoteWatch watch(3, kPatience);
  watch.look_at(2'000);
  EXPECT_EQ(watch.next(kSubscriptions, 2'000), (Subscription{Channel::quotes, 0}));
  watch.see(1, 2'000);
  EXPECT_EQ(watch.next(kSubscriptions, 2'000), (Subscription{Channel::quotes, 2}));
}

TEST(QuoteWatch, BeginsAnewWithEachConnection) {
  QuoteWatch watch(3, kPatience);
  watch.see(0, 1'000);
  watch.look_at(2'000);
  EXPECT_EQ(watch.next(kSubscriptions, 2'000), (Subscription{Channel::quotes, 1}));
  watch.begin(2'500);
  EXPECT_FALSE(watch.next(kSubscriptions, 3'000));
  watch.look_at(4'000);
  EXPECT_EQ(watch.next(kSubscriptions, 4'000), (Subscription{Channel::quotes, 0}));
}

TEST(QuoteWatch, TakesQuotesForDeadWhoseInstrumentIsTradedForLongWithoutOne) {
  QuoteWatch watch(3, kPatience);
  watch.begin(1'000);
  watch.see(1, 2'000);
  EXPECT_FALSE(watch.is_dead(1, 1'999, 5'000)) << "not traded since";
  EXPECT_FALSE(watch.is_dead(1, 5'001, 5'001)) << "its quote may be on its way";
  EXPECT_FALSE(watch.is_dead(1, 5'001, 5'100));
  EXPECT_TRUE(watch.is_dead(1, 5'001, 5'101));
  EXPECT_FALSE(watch.is_dead(0, 900, 5'101)) << "nor since the connection began";
}

TEST(QuoteWatch, GivesThemTwiceTheTimeToComeAgainAndTheSameOnceTheyCame) {
  QuoteWatch watch(1, kPatience);
  watch.begin(0);
  std::int64_t now = 1;
  const auto dead_after = [&] {
    const std::int64_t since = now;
    while (!watch.is_dead(0, now, now)) ++now;
    return std::exchange(now, now + 1) - since;
  };
  constexpr std::int64_t kApart = 1;
  EXPECT_EQ(dead_after(), 100 + kApart);
  EXPECT_EQ(dead_after(), 200 + kApart);
  EXPECT_EQ(dead_after(), 400 + kApart);
  EXPECT_EQ(dead_after(), 800 + kApart);
  EXPECT_EQ(dead_after(), 1'000 + kApart);
  EXPECT_EQ(dead_after(), 1'000 + kApart);
  watch.see(0, now++);
  EXPECT_EQ(dead_after(), 100 + kApart);
}

TEST(QuoteWatch, TakesAQuoteThatComesJustBeforeItsTradeForTheTradesOwn) {
  QuoteWatch watch(1, 60 * kPatience);
  watch.begin(0);
  watch.see(0, 1'000);
  for (std::int64_t now = 1'000; now < 100'000; now += 100) EXPECT_FALSE(watch.is_dead(0, 1'100, now));
  EXPECT_FALSE(watch.is_dead(0, 1'101, 100'000));
  EXPECT_TRUE(watch.is_dead(0, 1'101, 106'000));
}

TEST(QuoteWatch, LeavesAloneWhatMayHaveBeenRefused) {
  QuoteWatch watch(2, kPatience);
  watch.begin(0);
  watch.see(1, 10);
  watch.look_at(20);
  for (std::int64_t now = 11; now < 1'000; ++now) EXPECT_FALSE(watch.is_dead(0, now, now));
  EXPECT_FALSE(watch.is_dead(1, 12, 1'000));
  EXPECT_TRUE(watch.is_dead(1, 12, 1'100));
}

}  // namespace
}  // namespace livetape::bridge
