#include "exchange/tape.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

Trade trade(std::int64_t number, std::int64_t time_ns) {
  Trade made;
  EXPECT_TRUE(made.id.assign(std::to_string(number)));
  made.seq = number;
  made.has_seq = true;
  made.event_time_ns = time_ns;
  return made;
}

class TapeTest : public ::testing::TestWithParam<IdRule> {};

TEST_P(TapeTest, TakesATradeOnce) {
  Tape tape(GetParam());
  EXPECT_EQ(tape.take(trade(1, 10)), Verdict::fresh);
  EXPECT_EQ(tape.take(trade(1, 10)), Verdict::duplicate);
  EXPECT_EQ(tape.newest()->seq, 1);
  EXPECT_TRUE(tape.is_whole());
}

TEST_P(TapeTest, IsInDoubtFromTheNewestTradeOnUntilThatIsSettled) {
  Tape tape(GetParam());
  tape.doubt();
  EXPECT_FALSE(tape.doubted().has_value()) << "nothing came, so nothing can be missing";
  (void)tape.take(trade(1, 10));
  tape.doubt();
  (void)tape.take(trade(2, 20));
  tape.doubt();
  EXPECT_EQ(tape.doubted()->seq, 1);
  EXPECT_EQ(tape.whole_until()->event_time_ns, 10);
  EXPECT_FALSE(tape.is_whole());
  tape.settle_doubt(tape.doubts() - 1);
  EXPECT_FALSE(tape.is_whole()) << "the second doubt came while the first was looked into";
  tape.settle_doubt(tape.doubts());
  EXPECT_TRUE(tape.is_whole());
}

INSTANTIATE_TEST_SUITE_P(Rules, TapeTest, ::testing::Values(IdRule::contiguous, IdRule::unordered));

TEST(Tape, OfNumberedTradesSeesAGap) {
  Tape tape(IdRule::contiguous);
  (void)tape.take(trade(1, 10));
  EXPECT_EQ(tape.take(trade(4, 40)), Verdict::after_gap);
  EXPECT_EQ(tape.whole_until()->event_time_ns, 10);
  EXPECT_EQ(tape.take(trade(2, 20)), Verdict::fresh);
  EXPECT_EQ(tape.whole_until()->id.view(), "2");
  EXPECT_EQ(tape.whole_until()->seq, 2);
  EXPECT_EQ(tape.whole_until()->event_time_ns, 20);
  EXPECT_EQ(tape.newest()->seq, 4);
  EXPECT_EQ(tape.whole_until()->event_time_ns, 20);
  EXPECT_EQ(tape.take(trade(3, 30)), Verdict::fresh);
  EXPECT_TRUE(tape.is_whole());
}

constexpr std::int64_t kMuchLaterNs = 2 * ContiguousIds::kCountedAnewNs;

TEST(Tape, OfACountThatIsBegunAnewAllThatIsMissingIsLost) {
  Tape tape(IdRule::contiguous);
  for (const std::int64_t number : {100, 104, 107, 108}) (void)tape.take(trade(number, number));
  const Trade first = trade(1, kMuchLaterNs);
  ASSERT_TRUE(tape.counts_anew(first));
  const std::vector<Gap> lost = tape.left_behind_by(first);
  ASSERT_EQ(lost.size(), 2U) << "nothing was traded unseen between 108 and the first of the new count";
  EXPECT_TRUE(lost[0].has_ids && lost[1].has_ids);
  EXPECT_EQ((MissingIds{lost[0].first_id, lost[0].last_id, lost[0].from_time_ns, lost[0].to_time_ns}),
            (MissingIds{101, 103, 100, 104}));
  EXPECT_EQ((MissingIds{lost[1].first_id, lost[1].last_id, lost[1].from_time_ns, lost[1].to_time_ns}),
            (MissingIds{105, 106, 104, 107}));
  EXPECT_EQ(tape.take(first), Verdict::fresh);
  EXPECT_TRUE(tape.is_whole());
}

TEST(Tape, WhatMayHaveBeenTradedBetweenTwoCountsIsLostWithoutIds) {
  Tape tape(IdRule::contiguous);
  (void)tape.take(trade(100, 100));
  EXPECT_TRUE(tape.left_behind_by(trade(1, kMuchLaterNs)).empty());
  const auto check_lost_before = [&](std::int64_t number) {
    const std::vector<Gap> lost = tape.left_behind_by(trade(number, kMuchLaterNs));
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_FALSE(lost[0].has_ids);
    EXPECT_EQ(lost[0].from_time_ns, 100);
    EXPECT_EQ(lost[0].to_time_ns, kMuchLaterNs);
  };
  check_lost_before(3);
  tape.open_doubt();
  check_lost_before(1);
}

TEST(Tape, IsSafeUntilTheTradeBeforeThoseThatWaitWhateverIsDoubtedMeanwhile) {
  Tape tape(IdRule::contiguous);
  (void)tape.take(trade(1, 10));
  (void)tape.take(trade(3, 30));
  tape.hold(1'000);
  tape.held.emplace_back();
  (void)tape.take(trade(2, 20));
  tape.doubt();  // before those that wait have gone on
  EXPECT_EQ(tape.whole_until()->seq, 3);
  EXPECT_EQ(tape.safe_until()->seq, 1);
  tape.hold(2'000);
  EXPECT_EQ(tape.held_since_ns(), 1'000);
  EXPECT_EQ(tape.safe_until()->seq, 1);
  tape.release();
  EXPECT_EQ(tape.safe_until()->seq, 1) << "it is still here";
  tape.hand_over(1, [](const Message&) {});
  EXPECT_FALSE(tape.held_since_ns());
  EXPECT_EQ(tape.safe_until()->seq, 3);
}

TEST(Tape, HasNoGapBeforeATradeThatStandsForThoseBetween) {
  Tape tape(IdRule::contiguous);
  (void)tape.take(trade(10, 100));
  Trade aggregated = trade(13, 130);
  aggregated.numbers = 3;
  EXPECT_EQ(tape.take(aggregated), Verdict::fresh);
  EXPECT_TRUE(tape.is_whole());
  EXPECT_EQ(tape.take(trade(14, 140)), Verdict::fresh);
  EXPECT_EQ(tape.take(aggregated), Verdict::duplicate);
  Trade first = trade(3, kMuchLaterNs);
  first.numbers = 3;
  EXPECT_TRUE(tape.left_behind_by(first).empty()) << "of a new count, with its first";
}

/// Numbers of what a tape hands over.
std::vector<std::uint64_t> handed_over(Tape& tape, std::size_t most) {
  std::vector<std::uint64_t> numbers;
  tape.hand_over(most, [&](const Message& message) { numbers.push_back(message.sequence); });
  return numbers;
}

TEST(Tape, WhatIsReleasedGoesInItsOrderAsThereIsRoomForItAndWhatComesMeanwhileBehindIt) {
  using Numbers = std::vector<std::uint64_t>;
  Tape tape(IdRule::contiguous);
  (void)tape.take(trade(1, 10));
  tape.hold(1'000);
  const auto wait = [&](std::uint64_t number) { tape.held.emplace_back().sequence = number; };
  for (const std::uint64_t number : {5U, 6U, 7U}) wait(number);
  tape.release();
  EXPECT_EQ(handed_over(tape, 2), (Numbers{5, 6}));
  EXPECT_TRUE(tape.is_released());
  wait(8);
  tape.hold(2'000);
  EXPECT_FALSE(tape.is_released()) << "there is another gap";
  EXPECT_EQ(tape.held_since_ns(), 2'000);
  tape.release();
  EXPECT_EQ(handed_over(tape, 9), (Numbers{7, 8}));
  EXPECT_FALSE(tape.held_since_ns() || tape.is_released());
  tape.release();
  EXPECT_FALSE(tape.is_released()) << "nothing waits";
}

TEST(Tape, OfOtherTradesKeepsTheNewestByTime) {
  Tape tape(IdRule::unordered);
  (void)tape.take(trade(9, 40));
  EXPECT_EQ(tape.take(trade(2, 20)), Verdict::fresh);
  EXPECT_EQ(tape.newest()->seq, 9);
  EXPECT_EQ(tape.numbered(), nullptr);
}

TEST(Tape, ADoubtIsNarrowedToWhatIsBehindATrade) {
  Tape tape(IdRule::unordered);
  (void)tape.take(trade(1, 10));
  tape.doubt();
  (void)tape.take(trade(9, 90));
  tape.narrow_doubt(trade(5, 50));
  EXPECT_EQ(tape.doubted()->seq, 5);
  EXPECT_EQ(tape.safe_until()->event_time_ns, 50);
  EXPECT_FALSE(tape.is_whole());
  tape.narrow_doubt(trade(1, 10));
  EXPECT_EQ(tape.doubted()->seq, 5) << "an older answer tells nothing new";
  tape.settle_doubt(tape.doubts());
  tape.narrow_doubt(trade(6, 60));
  EXPECT_TRUE(tape.is_whole());
}

TEST(Tape, TakesATradeOnceHoweverManyComeWhileThereIsDoubt) {
  constexpr std::int64_t kMany = 10 * RecentIds::kKept;
  Tape tape(IdRule::unordered);
  (void)tape.take(trade(0, 0));
  tape.doubt();
  for (std::int64_t i = 1; i < kMany; ++i) ASSERT_EQ(tape.take(trade(i, i)), Verdict::fresh);
  for (std::int64_t i = 1; i < kMany; ++i) ASSERT_EQ(tape.take(trade(i, i)), Verdict::duplicate);
}

TEST(Tape, AnOpenDoubtIsNotSettledBeforeItIsClosed) {
  Tape tape(IdRule::unordered);
  (void)tape.take(trade(1, 10));
  tape.open_doubt();
  const std::uint64_t asked_too_early = tape.doubts();
  tape.settle_doubt(asked_too_early);
  EXPECT_FALSE(tape.is_whole());
  tape.close_doubt();
  tape.settle_doubt(asked_too_early);
  EXPECT_FALSE(tape.is_whole());
  tape.settle_doubt(tape.doubts());
  EXPECT_TRUE(tape.is_whole());
}

}  // namespace
}  // namespace livetape::bridge
