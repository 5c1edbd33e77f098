#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace livetape::bridge {

/// How often durations were how long, each bucket twice as wide as the one before. One thread records, any may read; no
/// lock and no allocation.
class Histogram {
 public:
  static constexpr int kFirstBits = 8;         // the first bucket ends at 256 ns
  static constexpr std::size_t kBuckets = 28;  // the last has all above 17 s

  /// Less than nothing counts as nothing.
  void record(std::int64_t ns) noexcept {
    const std::uint64_t length = ns > 0 ? static_cast<std::uint64_t>(ns) : 0;
    const auto bits = static_cast<int>(std::bit_width(length == 0 ? 0 : length - 1));
    const auto bucket = static_cast<std::size_t>(bits > kFirstBits ? bits - kFirstBits : 0);
    add(counts_[bucket < kBuckets ? bucket : kBuckets - 1], 1);
    add(sum_ns_, length);
  }

  /// How many are in a bucket: at most `end_ns` long, and longer than the end of the one before.
  [[nodiscard]] std::uint64_t count(std::size_t bucket) const noexcept {
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  [[nodiscard]] static constexpr std::uint64_t end_ns(std::size_t bucket) noexcept {
    return std::uint64_t{1} << (bucket + kFirstBits);
  }
  [[nodiscard]] std::uint64_t sum_ns() const noexcept { return sum_ns_.load(std::memory_order_relaxed); }

 private:
  static void add(std::atomic<std::uint64_t>& to, std::uint64_t amount) noexcept {
    to.store(to.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);  // one thread writes
  }

  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

}  // namespace livetape::bridge
