#include "exchange/position_keeper.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "core/time.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kLaterNs = 3'000'000'000;  // than positions are kept for

/// A run of a bridge that reads one instrument.
class BridgeRun {
 public:
  explicit BridgeRun(const std::filesystem::path& folder, IdRule rule = IdRule::contiguous) {
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
  void settle() {
    while (!ring_.is_empty()) ring_.pop();
    ring_.settle();
  }
  void pass_time() { keeper_->keep(now_ns_ += kLaterNs); }

  [[nodiscard]] bool has_trade() const { return tapes_[0].has_trade(); }
  /// After which trade this run took up what another left.
  [[nodiscard]] const std::optional<Trade>& resumed() const { return tapes_[0].newest(); }

 private:
  std::int64_t started_ns_ = utc_now_ns();
  std::int64_t now_ns_ = 0;
  VenueConfig config_;
  VenueMetrics metrics_;
  MessageRing ring_{64};
  std::vector<Tape> tapes_;
  std::optional<PositionKeeper> keeper_;
};

class PositionKeeperTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("livetape-kept-positions-" + std::to_string(::getpid()));
};

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
  constexpr std::int64_t kTwoDaysNs = 2 * 86'400'000'000'000;
  BridgeRun first(folder_);
  first.read(7, kTwoDaysNs);
  EXPECT_FALSE(BridgeRun(folder_).resumed().has_value()) << "nobody has seen that nothing followed on it";
  first.settle();
  first.pass_time();
  first.pass_time();
  EXPECT_EQ(BridgeRun(folder_).resumed()->seq, 7);
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
