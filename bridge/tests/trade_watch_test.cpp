#include "exchange/trade_watch.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

using Step = TradeWatch::Step;
using Cure = TradeWatch::Cure;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kPatienceNs = 60 * kSecondNs;
constexpr std::int64_t kVenueNs = 1'700'000'000 * kSecondNs;  // the venue's time when the steady clock is at 0

/// The watch of an instrument whose venue's clock goes as the steady one.
class TradeWatchTest : public ::testing::Test {
 protected:
  void connect(std::int64_t seconds) {
    watch_.begin(seconds * kSecondNs);
    watch_.work(seconds * kSecondNs);
  }
  void hear(std::int64_t seconds) { watch_.hear(seconds * kSecondNs); }
  /// The history gives a trade at one time that was made at another.
  void find(std::int64_t seconds, std::int64_t made_seconds) {
    watch_.find(kVenueNs + made_seconds * kSecondNs, kVenueNs + seconds * kSecondNs, seconds * kSecondNs);
  }
  Step next(std::int64_t seconds) { return watch_.next(seconds * kSecondNs); }
  Cure revive(std::int64_t seconds) { return watch_.revive(seconds * kSecondNs); }
  /// When the history is asked next.
  std::int64_t asked_after(std::int64_t seconds) {
    const std::int64_t since = seconds;
    while (next(seconds) != Step::ask) ++seconds;
    return seconds - since;
  }
  /// Has the subscription be found dead, and revives it.
  Cure die(std::int64_t seconds) {
    find(seconds, seconds);
    EXPECT_EQ(next(seconds + 2), Step::revive);
    return revive(seconds + 2);
  }

  TradeWatch watch_{kPatienceNs};
};

TEST_F(TradeWatchTest, AsksAfterASilenceAndEverMoreRarely) {
  connect(0);
  hear(5);
  std::int64_t now = 5;
  for (const std::int64_t wait : {60, 120, 240, 480, 600, 600}) {
    EXPECT_EQ(asked_after(now), wait);
    now += wait;
  }
  hear(now);
  EXPECT_EQ(asked_after(now), 60);
}

TEST_F(TradeWatchTest, TakesASubscriptionForDeadWhereTheHistoryHasTradesThatItDoesNotShow) {
  connect(0);
  find(70, 40);
  EXPECT_EQ(next(71), Step::nothing) << "the stream may be behind the history";
  EXPECT_EQ(next(72), Step::revive);
  EXPECT_EQ(next(73), Step::revive) << "until that is done";
  EXPECT_EQ(revive(73), Cure::subscribe);
  EXPECT_EQ(next(74), Step::nothing);
}

TEST_F(TradeWatchTest, DoesNotWhereTheStreamShowsThemMeanwhile) {
  connect(0);
  find(70, 40);
  hear(71);
  EXPECT_EQ(next(72), Step::nothing);
}

TEST_F(TradeWatchTest, LearnsNothingFromWhatWasTradedBeforeTheSubscriptionWorked) {
  watch_.begin(100 * kSecondNs);
  find(101, 101);  // it does not work yet
  watch_.work(110 * kSecondNs);
  find(150, 109);
  find(150, 111) /* the clocks are not alike */;
  EXPECT_EQ(next(152), Step::nothing);
  find(153, 112);
  EXPECT_EQ(next(155), Step::revive);
}

TEST_F(TradeWatchTest, LearnsNothingFromAnOldGapThatIsFilled) {
  connect(0);
  hear(50);
  find(80, 49);
  EXPECT_EQ(next(82), Step::nothing);
  find(83, 52);
  EXPECT_EQ(next(85), Step::revive);
}

TEST_F(TradeWatchTest, LooksSoonAndAgainAfterARefusal) {
  connect(0);
  watch_.look_soon(0, kSecondNs);
  std::int64_t now = 0;
  for (const std::int64_t wait : {1, 2, 4, 8, 16, 32, 64}) {
    EXPECT_EQ(asked_after(now), wait);
    now += wait;
  }
}

TEST_F(TradeWatchTest, LooksNoSoonerIntoWhatHasShownTradesOnTheConnection) {
  connect(0);
  hear(5);
  watch_.look_soon(6 * kSecondNs, kSecondNs);
  EXPECT_EQ(asked_after(5), 60);
  connect(100);
  watch_.look_soon(100 * kSecondNs, kSecondNs);
  EXPECT_EQ(asked_after(100), 1);
}

TEST_F(TradeWatchTest, CutsTheConnectionOnceForAnInstrumentThatStaysDead) {
  connect(0);
  EXPECT_EQ(die(70), Cure::subscribe);
  watch_.work(72 * kSecondNs);
  EXPECT_EQ(die(140), Cure::connect);
  connect(143);
  EXPECT_EQ(die(210), Cure::give_up);
  watch_.work(212 * kSecondNs);
  EXPECT_EQ(die(400), Cure::keep_trying);
  connect(500);
  EXPECT_EQ(die(600), Cure::keep_trying);
  watch_.work(602 * kSecondNs);
  hear(700);
  EXPECT_EQ(die(800), Cure::subscribe) << "it had worked";
}

TEST_F(TradeWatchTest, CutsNoConnectionThatWasMadeAgainAnyway) {
  connect(0);
  EXPECT_EQ(die(70), Cure::subscribe);
  connect(80);
  EXPECT_EQ(die(150), Cure::give_up);
}

TEST_F(TradeWatchTest, LearnsNothingFromWhatIsTradedUntilItIsRevived) {
  connect(0);
  EXPECT_EQ(die(70), Cure::subscribe);
  find(75, 75);
  EXPECT_EQ(next(77), Step::nothing);
  watch_.work(76 * kSecondNs);
  find(78, 75);
  EXPECT_EQ(next(80), Step::nothing);
}

TEST_F(TradeWatchTest, AsksEverMoreRarelyForOneThatIsGivenUp) {
  connect(0);
  EXPECT_EQ(die(70), Cure::subscribe);
  connect(80);
  EXPECT_EQ(asked_after(80), 60);
  EXPECT_EQ(die(140), Cure::give_up);
  watch_.work(142 * kSecondNs);
  EXPECT_EQ(asked_after(140), 120);
  EXPECT_EQ(die(260), Cure::keep_trying);
  EXPECT_EQ(asked_after(260), 240);
}

}  // namespace
}  // namespace livetape::bridge
