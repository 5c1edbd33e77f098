#include "exchange/recent_ids.hpp"

#include <gtest/gtest.h>

#include <string>

namespace livetape::bridge {
namespace {

std::string id(std::size_t number) { return "20f43950-d8dd-5b31-9112-" + std::to_string(100'000'000'000 + number); }

TEST(RecentIds, KnowAnIdThatCameAgain) {
  RecentIds ids;
  EXPECT_TRUE(ids.add("a"));
  EXPECT_FALSE(ids.add("a"));
  EXPECT_TRUE(ids.add("b"));
  EXPECT_TRUE(ids.contains("a"));
  EXPECT_FALSE(ids.contains("c"));
}

TEST(RecentIds, KeepTheNewestHoweverManyCome) {
  RecentIds ids;
  for (std::size_t i = 0; i < 10 * RecentIds::kKept; ++i) {
    ASSERT_TRUE(ids.add(id(i)));
    for (const std::size_t back : {std::size_t{0}, std::size_t{1}, RecentIds::kKept - 1}) {
      ASSERT_TRUE(i < back || ids.contains(id(i - back))) << i;
    }
  }
  EXPECT_FALSE(ids.contains(id(0)));
}

TEST(RecentIds, ForgetNoneForAWhile) {
  RecentIds ids;
  ASSERT_TRUE(ids.add(id(0)));
  ids.keep_all();
  for (std::size_t i = 1; i < 10 * RecentIds::kKept; ++i) ASSERT_TRUE(ids.add(id(i)));
  for (std::size_t i = 0; i < 10 * RecentIds::kKept; ++i) ASSERT_FALSE(ids.add(id(i))) << i;
  ids.keep_newest();
  EXPECT_FALSE(ids.contains(id(0)));
  EXPECT_TRUE(ids.contains(id(10 * RecentIds::kKept - 1)));
}

}  // namespace
}  // namespace livetape::bridge
