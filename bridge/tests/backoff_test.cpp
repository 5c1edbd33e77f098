#include "exchange/backoff.hpp"

#include <gtest/gtest.h>

#include <set>

namespace livetape::bridge {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToItsCapEachWaitInItsUpperHalf) {
  Backoff backoff(1);
  for (const int bound_ms : {250, 500, 1'000, 2'000, 4'000, 8'000, 16'000, 30'000, 30'000}) {
    const milliseconds wait = backoff.next({});
    EXPECT_GE(wait, milliseconds(bound_ms / 2));
    EXPECT_LE(wait, milliseconds(bound_ms));
  }
}

TEST(Backoff, BeginsAnewOnlyAfterAConnectionThatHeld) {
  Backoff backoff(1);
  for (int i = 0; i < 5; ++i) (void)backoff.next({});
  EXPECT_GT(backoff.next(Backoff::kProven - milliseconds(1)), Backoff::kFirst);
  EXPECT_LE(backoff.next(Backoff::kProven), Backoff::kFirst);
}

TEST(Backoff, DiffersFromClientToClient) {
  std::set<milliseconds> waits;
  for (std::uint64_t seed = 0; seed < 20; ++seed) waits.insert(Backoff(seed).next({}));
  EXPECT_GT(waits.size(), 10U);
}

}  // namespace
}  // namespace livetape::bridge
