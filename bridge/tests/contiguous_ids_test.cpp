#include "exchange/contiguous_ids.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace livetape::bridge {
namespace {

TEST(ContiguousIds, FirstTradeHasNoGapBeforeIt) {
  ContiguousIds ids;
  EXPECT_FALSE(ids.newest().has_value());
  EXPECT_EQ(ids.take(7, 70), Verdict::fresh);
  EXPECT_EQ(ids.take(8, 80), Verdict::fresh);
  EXPECT_EQ(ids.newest(), 8);
  EXPECT_TRUE(ids.missing().empty());
}

TEST(ContiguousIds, GapIsKnownByItsNeighboursAndFilledFromAnySide) {
  ContiguousIds ids;
  (void)ids.take(1, 10);
  EXPECT_EQ(ids.take(7, 70), Verdict::after_gap);
  EXPECT_EQ(ids.missing(), (std::vector<MissingIds>{{2, 6, 10, 70}}));
  EXPECT_EQ(ids.take(4, 40), Verdict::fresh);
  EXPECT_EQ(ids.missing(), (std::vector<MissingIds>{{2, 3, 10, 40}, {5, 6, 40, 70}}));
  EXPECT_EQ(ids.take(2, 20), Verdict::fresh);
  EXPECT_EQ(ids.take(6, 60), Verdict::fresh);
  EXPECT_EQ(ids.missing(), (std::vector<MissingIds>{{3, 3, 20, 40}, {5, 5, 40, 60}}));
  EXPECT_EQ(ids.take(6, 60), Verdict::duplicate);
  EXPECT_EQ(ids.take(3, 30), Verdict::fresh);
  EXPECT_EQ(ids.take(5, 50), Verdict::fresh);
  EXPECT_TRUE(ids.missing().empty());
  for (std::int64_t id = 1; id <= 7; ++id) EXPECT_EQ(ids.take(id, 0), Verdict::duplicate);
}

TEST(ContiguousIds, OneMayStandForSeveral) {
  ContiguousIds ids;
  EXPECT_EQ(ids.take(10, 100, 4), Verdict::fresh);
  EXPECT_EQ(ids.oldest(), 7);
  EXPECT_EQ(ids.take(13, 130, 3), Verdict::fresh);
  EXPECT_TRUE(ids.missing().empty());
  EXPECT_EQ(ids.take(18, 180, 3), Verdict::after_gap);
  EXPECT_EQ(ids.missing(), (std::vector<MissingIds>{{14, 15, 130, 180}}));
  EXPECT_EQ(ids.take(15, 150, 2), Verdict::fresh);
  EXPECT_TRUE(ids.missing().empty());
  for (const std::int64_t one : {11, 12, 13}) EXPECT_EQ(ids.take(one, 130), Verdict::duplicate);
}

TEST(ContiguousIds, OneThatStandsForSomethingThatCameIsADuplicateAndTheRestIsMissing) {
  ContiguousIds ids;
  (void)ids.take(1, 10);
  (void)ids.take(9, 90);
  (void)ids.take(4, 40);
  EXPECT_EQ(ids.take(6, 60, 3), Verdict::duplicate);
  EXPECT_EQ(ids.missing(), (std::vector<MissingIds>{{2, 3, 10, 40}, {5, 8, 40, 90}}));
  EXPECT_EQ(ids.take(11, 110, 3), Verdict::duplicate);
  EXPECT_EQ(ids.take(12, 120), Verdict::after_gap);
  EXPECT_EQ(ids.missing().back(), (MissingIds{10, 11, 90, 120}));
}

TEST(ContiguousIds, WhatIsGivenUpIsNotMissingAnyMore) {
  ContiguousIds ids;
  (void)ids.take(1, 10);
  (void)ids.take(5, 50);
  EXPECT_FALSE(ids.give_up(3).has_value());
  EXPECT_EQ(ids.give_up(2), (MissingIds{2, 4, 10, 50}));
  EXPECT_TRUE(ids.missing().empty());
}

TEST(ContiguousIds, MayTurnOutToHaveBegunEarlier) {
  ContiguousIds ids;
  ids.reach_back(3, 30);
  EXPECT_TRUE(ids.missing().empty()) << "nothing came yet";
  (void)ids.take(7, 70);
  ids.reach_back(7, 60);
  EXPECT_TRUE(ids.missing().empty());
  ids.reach_back(4, 30);
  EXPECT_EQ(ids.missing(), (std::vector<MissingIds>{{4, 6, 30, 70}}));
  EXPECT_EQ(ids.take(5, 50), Verdict::fresh);
  EXPECT_EQ(ids.take(3, 20), Verdict::duplicate) << "it came before all that is asked for";
}

TEST(ContiguousIds, OfTooManyHolesTheClosestBecomeOne) {
  ContiguousIds ids;
  constexpr auto kHoles = static_cast<std::int64_t>(ContiguousIds::kMaxRanges);
  for (std::int64_t i = 0; i <= kHoles; ++i) (void)ids.take(10 * i, i);
  (void)ids.take(10 * kHoles + 1, kHoles + 1);
  EXPECT_EQ(ids.take(5, 0), Verdict::fresh) << "it splits the first hole";
  EXPECT_EQ(ids.missing().size(), ContiguousIds::kMaxRanges);
  EXPECT_EQ(ids.missing()[0], (MissingIds{1, 9, 0, 1}));
  EXPECT_EQ(ids.take(5, 0), Verdict::fresh) << "whether it came is no longer known";
  EXPECT_EQ(ids.take(10, 1), Verdict::duplicate);
}

TEST(ContiguousIds, BeginAnewWhereTheVenueDoes) {
  ContiguousIds ids;
  (void)ids.take(1'000, 10);
  (void)ids.take(1'005, 20);
  EXPECT_EQ(ids.take(3, 20 + ContiguousIds::kCountedAnewNs), Verdict::duplicate);
  EXPECT_EQ(ids.take(3, 21 + ContiguousIds::kCountedAnewNs), Verdict::fresh);
  EXPECT_TRUE(ids.missing().empty());
  EXPECT_EQ(ids.newest(), 3);
}

TEST(ContiguousIds, SayOfATradeWhetherItCountsAnewWhileWhatIsMissingIsStillKnown) {
  constexpr std::int64_t kAnewNs = 21 + ContiguousIds::kCountedAnewNs;
  ContiguousIds ids;
  EXPECT_FALSE(ids.counts_anew(3, kAnewNs)) << "nothing came yet";
  (void)ids.take(1'000, 10);
  (void)ids.take(1'005, 20);
  EXPECT_FALSE(ids.counts_anew(3, kAnewNs - 1)) << "it may have come late";
  EXPECT_FALSE(ids.counts_anew(1'006, kAnewNs));
  EXPECT_TRUE(ids.counts_anew(3, kAnewNs));
  EXPECT_EQ(ids.missing(), (std::vector<MissingIds>{{1'001, 1'004, 10, 20}}));
  EXPECT_EQ(ids.new_counts(), 0U);
  (void)ids.take(3, kAnewNs);
  EXPECT_EQ(ids.new_counts(), 1U);
  EXPECT_FALSE(ids.counts_anew(4, 2 * kAnewNs)) << "it goes on";
  (void)ids.take(2, 3 * kAnewNs);
  EXPECT_EQ(ids.new_counts(), 2U);
}

TEST(ContiguousIds, SayTheSameAsASetOfIds) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    ContiguousIds ids;
    std::set<std::int64_t> seen;
    (void)ids.take(0, 0);
    seen.insert(0);
    for (int i = 0; i < 200; ++i) {
      const auto id = std::uniform_int_distribution<std::int64_t>(0, 300)(random);
      const bool is_new = seen.insert(id).second;
      ASSERT_EQ(ids.take(id, id) != Verdict::duplicate, is_new);
    }
    std::set<std::int64_t> missing;
    for (const MissingIds& range : ids.missing()) {
      ASSERT_EQ(range.from_time_ns, range.first - 1);
      ASSERT_EQ(range.to_time_ns, range.last + 1);
      for (std::int64_t id = range.first; id <= range.last; ++id) missing.insert(id);
    }
    for (std::int64_t id = 0; id <= *seen.rbegin(); ++id) ASSERT_NE(missing.contains(id), seen.contains(id));
  }
}

TEST(ContiguousIds, KnowsTheTimeOfTheOldestThatCame) {
  ContiguousIds ids;
  (void)ids.take(10, 100);
  EXPECT_EQ(ids.oldest_time_ns(), 100);
  ids.reach_back(8, 50);
  EXPECT_EQ(ids.oldest_time_ns(), 50) << "not before then";
  (void)ids.take(9, 90);
  EXPECT_EQ(ids.oldest_time_ns(), 50);
  (void)ids.take(8, 80);
  EXPECT_EQ(ids.oldest_time_ns(), 80);
}

}  // namespace
}  // namespace livetape::bridge
