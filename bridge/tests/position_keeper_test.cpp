#include "exchange/position_keeper.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/time.hpp"
#include "folder_test.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kLaterNs = 3'000'000'000;  // than positions are kept for
constexpr std::int64_t kTickNs = 1'000'000;
constexpr std::int64_t kTwoDaysNs = 2 * 86'400'000'000'000;

/// A run of a bridge that reads one instrument.
class BridgeRun {
 public:
  explicit BridgeRun(const std::filesystem::path& folder, IdRule rule = IdRule::contiguous) : folder_(folder) {
    tapes_.emplace_back(rule);
    config_.venue = "toy";
    config_.instruments = {"BTC-USDT"};
    keeper_.emplace(folder, config_, tapes_, ring_, metrics_);
    keeper_->resume();
  }

  void read(std::int64_t number, std::int64_t ago_ns = 0) {
    Message message;
    EXPECT_TRUE(message.trade.id.assign(std::to_string(number)));
    message.trade.seq = number;
    message.trade.has_seq = true;
    message.trade.event_time_ns = started_ns_ + number - ago_ns;
    if (!tapes_[0].has_trade()) keeper_->begin(message.trade);
    EXPECT_EQ(tapes_[0].take(message.trade), Verdict::fresh);
    EXPECT_TRUE(ring_.push(message));
  }
  void subscribe() { keeper_->begin(0, started_ns_); }
  void lose_connection() { tapes_[0].open_doubt(); }
  void find_nothing_missing() {
    tapes_[0].close_doubt();
    tapes_[0].settle_doubt(tapes_[0].doubts());
  }
  void settle() {
    while (!ring_.is_empty()) ring_.pop();
    ring_.settle(ring_.popped());
  }
  void pass_time() { keeper_->keep(now_ns_ += kLaterNs); }
  void tick() { keeper_->keep(now_ns_ += kTickNs); }

  [[nodiscard]] std::optional<Gap> unread() { return keeper_->unread(0); }
  /// When it was whole last, as the next run is told.
  [[nodiscard]] std::int64_t kept_whole_until_ns() const {
    return PositionFile(folder_, "toy").read().back().whole_until_ns;
  }
  [[nodiscard]] bool has_trade() const { return tapes_[0].has_trade(); }
  /// After which trade this run took up what another left.
  [[nodiscard]] const std::optional<Trade>& resumed() const { return tapes_[0].newest(); }

 private:
  std::filesystem::path folder_;
  std::int64_t started_ns_ = utc_now_ns();
  std::int64_t now_ns_ = 0;
  VenueConfig config_;
  VenueMetrics metrics_;
  MessageRing ring_{64};
  std::vector<Tape> tapes_;
  std::optional<PositionKeeper> keeper_;
};

class PositionKeeperTest : public FolderTest {};

TEST_F(PositionKeeperTest, KnowsNothingBeforeTheFirstTrade) {
  BridgeRun first(folder_);
  first.pass_time();
  first.pass_time();
  EXPECT_FALSE(BridgeRun(folder_).resumed().has_value());
}

TEST_F(PositionKeeperTest, KeepsSinceWhenAnInstrumentIsShownThatIsNotTraded) {
  BridgeRun first(folder_);
  first.subscribe();
  const BridgeRun next(folder_);
  ASSERT_TRUE(next.resumed().has_value());
  EXPECT_FALSE(next.has_trade());
  first.pass_time();
  first.pass_time();
  EXPECT_EQ(BridgeRun(folder_).resumed()->event_time_ns, next.resumed()->event_time_ns);
}

TEST_F(PositionKeeperTest, KeepsAtOnceWhereAnInstrumentBegins) {
  BridgeRun(folder_).read(7);
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 6) << "whether trade 7 left the process nobody knows";
}

TEST_F(PositionKeeperTest, KeepsWhenItBeginsWhereIdsTellNothing) {
  BridgeRun(folder_, IdRule::unordered).read(7);
  const BridgeRun next(folder_, IdRule::unordered);
  ASSERT_TRUE(next.resumed().has_value());
  EXPECT_NE(next.resumed()->id.view(), "7") << "what the history has of that time is to be taken";
}

TEST_F(PositionKeeperTest, KeepsWhereItBeganUntilItKnowsMore) {
  BridgeRun first(folder_);
  first.pass_time();
  first.read(7);
  first.settle();
  first.pass_time();
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 6);
}

TEST_F(PositionKeeperTest, TakesAnInstrumentUpThatWasNotTradedForDaysWhileItWasRead) {
  BridgeRun first(folder_);
  first.read(7, kTwoDaysNs);
  EXPECT_FALSE(BridgeRun(folder_).resumed().has_value()) << "nobody has seen that nothing followed on it";
  first.settle();
  first.pass_time();
  first.pass_time();
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 7);
}

TEST_F(PositionKeeperTest, KeepsUntilWhenAnInstrumentWasWholeWhileItIsNot) {
  BridgeRun first(folder_);
  first.read(7, kTwoDaysNs);
  first.settle();
  first.pass_time();
  first.lose_connection();
  const std::int64_t lost_ns = utc_now_ns();
  first.pass_time();
  first.pass_time();
  EXPECT_LE(first.kept_whole_until_ns(), lost_ns);
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 7) << "it was read until a moment ago";
  first.find_nothing_missing();
  first.pass_time();
  first.pass_time();
  EXPECT_GT(first.kept_whole_until_ns(), lost_ns);
}

TEST_F(PositionKeeperTest, KeepsUntilWhenTheLastRunWasWholeUntilThisOneIs) {
  BridgeRun first(folder_);
  first.read(7);
  first.settle();
  first.pass_time();
  first.pass_time();
  const std::int64_t whole_until_ns = first.kept_whole_until_ns();
  BridgeRun next(folder_);
  next.pass_time();
  next.pass_time();
  EXPECT_EQ(next.kept_whole_until_ns(), whole_until_ns) << "it has no connection yet";
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 7);
}

TEST_F(PositionKeeperTest, TellsWhatWasTradedSinceARunThatIsDaysAgo) {
  BridgeRun(folder_).read(7, kTwoDaysNs);
  BridgeRun next(folder_);
  EXPECT_FALSE(next.unread()) << "nobody knows yet";
  next.read(20);
  const auto gap = next.unread();
  ASSERT_TRUE(gap.has_value());
  EXPECT_TRUE(gap->has_ids);
  EXPECT_EQ(gap->first_id, 7) << "whether it left the process nobody knows";
  EXPECT_EQ(gap->last_id, 19);
  EXPECT_LT(gap->from_time_ns, utc_now_ns() - kTwoDaysNs + kLaterNs);
  EXPECT_GT(gap->to_time_ns, utc_now_ns() - kTwoDaysNs / 2);
  EXPECT_FALSE(next.unread()) << "once";
}

TEST_F(PositionKeeperTest, TellsNothingWhereNothingWasTradedSince) {
  BridgeRun(folder_).read(7, kTwoDaysNs);
  BridgeRun next(folder_);
  next.read(7);
  EXPECT_FALSE(next.unread());
}

TEST_F(PositionKeeperTest, TellsNoIdsOfAVenueThatHasCountedAnewSince) {
  BridgeRun(folder_).read(7, kTwoDaysNs);
  BridgeRun next(folder_);
  next.read(3);
  const auto gap = next.unread();
  ASSERT_TRUE(gap.has_value());
  EXPECT_FALSE(gap->has_ids);
  EXPECT_LT(gap->from_time_ns, gap->to_time_ns);
}

TEST_F(PositionKeeperTest, TellsItOnceItIsKnownWhereTheRunBegins) {
  BridgeRun(folder_).read(7, kTwoDaysNs);
  BridgeRun next(folder_);
  next.subscribe();
  next.lose_connection();
  next.read(20);
  EXPECT_FALSE(next.unread()) << "the history may have some before it";
  next.find_nothing_missing();
  EXPECT_TRUE(next.unread());
}

TEST_F(PositionKeeperTest, KeepsWhereARunThatIsDaysAgoEndedUntilThatIsTold) {
  BridgeRun(folder_).read(7, kTwoDaysNs);
  BridgeRun second(folder_);
  second.subscribe();
  second.pass_time();
  second.pass_time();
  BridgeRun third(folder_);
  third.read(20);
  EXPECT_TRUE(third.unread());
  third.settle();
  third.pass_time();
  third.pass_time();
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 20);
}

TEST_F(PositionKeeperTest, TakesUpWhatIsDaysAgoWhereTimesAloneTellIt) {
  BridgeRun(folder_, IdRule::unordered).read(7, kTwoDaysNs);
  EXPECT_TRUE(BridgeRun(folder_, IdRule::unordered).resumed()) << "the history tells what it has and what it has not";
}

TEST_F(PositionKeeperTest, KeepsAtTheNextTickWhatHasSettled) {
  BridgeRun first(folder_);
  first.read(7);
  first.pass_time();
  first.settle();
  first.tick();
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 7) << "a run that ends now leaves nothing to be read a second time";
}

TEST_F(PositionKeeperTest, GoesOnBehindWhatIsSettledAlone) {
  BridgeRun first(folder_);
  first.read(7);
  first.settle();
  first.pass_time();
  first.pass_time();
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 7);
  first.read(8);
  first.pass_time();
  first.pass_time();
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 7) << "trade 8 still ends with this process";
  first.settle();
  first.pass_time();
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 8);
}

}  // namespace
}  // namespace livetape::bridge
