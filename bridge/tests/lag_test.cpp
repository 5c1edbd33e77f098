#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "core/histogram.hpp"
#include "core/least_lag.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

TEST(Histogram, PutsEachDurationIntoTheBucketThatItsEndSays) {
  Histogram histogram;
  const std::vector<std::int64_t> lengths{
      -5, 0, 1, 255, 256, 257, 512, 513, 1'000'000, 17 * kSecondNs, 900 * kSecondNs};
  for (const std::int64_t length : lengths) histogram.record(length);
  for (std::size_t bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
    const auto begin = static_cast<std::int64_t>(bucket == 0 ? 0 : Histogram::end_ns(bucket - 1));
    const auto end =
        bucket + 1 == Histogram::kBuckets ? INT64_MAX : static_cast<std::int64_t>(Histogram::end_ns(bucket));
    const auto expected = std::ranges::count_if(lengths, [&](std::int64_t length) {
      return (length > begin || (bucket == 0 && length <= 0)) && length <= end;
    });
    EXPECT_EQ(histogram.count(bucket), static_cast<std::uint64_t>(expected)) << bucket;
  }
  EXPECT_EQ(histogram.sum_ns(), static_cast<std::uint64_t>(std::accumulate(lengths.begin() + 1, lengths.end(), 0LL)));
}

TEST(LeastLag, IsTheLeastOfAboutTheLastMinute) {
  LeastLag lag;
  EXPECT_EQ(lag.see(500, 100 * kSecondNs), 500);
  EXPECT_EQ(lag.see(-700, 101 * kSecondNs), -700);
  EXPECT_EQ(lag.see(300, 120 * kSecondNs), -700);
  EXPECT_EQ(lag.see(400, 155 * kSecondNs), -700);
  EXPECT_EQ(lag.see(400, 170 * kSecondNs), 300);
  EXPECT_EQ(lag.see(900, 10'000 * kSecondNs), 900);
}

}  // namespace
}  // namespace livetape::bridge
