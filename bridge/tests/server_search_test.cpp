#include "nic/server_search.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace livetape::bridge::mold {
namespace {

struct Outcome {
  std::uint64_t found = 0;
  int asked = 0;
};

Outcome search(std::uint64_t lacked, std::uint64_t end, const std::function<bool(std::uint64_t)>& has) {
  Outcome outcome;
  ServerSearch search(lacked, end);
  for (; !search.is_over(); ++outcome.asked) {
    EXPECT_GT(search.probe(), lacked);
    EXPECT_LT(search.probe(), end);
    search.take(has(search.probe()));
  }
  outcome.found = search.found();
  return outcome;
}

TEST(ServerSearch, FindsTheFirstMessageThatIsThere) {
  for (std::uint64_t end = 2; end < 80; ++end) {
    for (std::uint64_t first = 2; first <= end; ++first) {
      const auto has = [&](std::uint64_t number) { return number >= first; };
      EXPECT_EQ(search(1, end, has).found, first) << "before " << end;
    }
  }
}

TEST(ServerSearch, AsksOnceWhereOneMessageIsLacking) {
  const Outcome outcome = search(2, 6'000'000, [](std::uint64_t) { return true; });
  EXPECT_EQ(outcome.found, 3U);
  EXPECT_EQ(outcome.asked, 1);
}

TEST(ServerSearch, GoesNoFurtherThanItHasToThoughMoreIsLackingBehind) {
  EXPECT_EQ(search(2, 1'000, [](std::uint64_t number) { return number < 900; }).found, 3U);
}

TEST(ServerSearch, AsksSomeDozenTimesHoweverMuchIsLacking) {
  EXPECT_LE(search(2, 6'000'000, [](std::uint64_t number) { return number >= 2'345'678; }).asked, 45);
  EXPECT_LE(search(2, 6'000'000, [](std::uint64_t) { return false; }).asked, 24);
  EXPECT_LE(search(2, std::uint64_t{1} << 62, [](std::uint64_t) { return false; }).asked, 63);
}

}  // namespace
}  // namespace livetape::bridge::mold
