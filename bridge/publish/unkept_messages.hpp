#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace livetape::bridge {

/// Messages that were given to the producer and that the disk did not take: until the brokers have them they end with
/// this process.
class UnkeptMessages {
 public:
  /// The producer has one more; numbers rise.
  void add(std::uint64_t number) { numbers_.push_back(number); }
  /// The brokers have all up to this one.
  void confirm(std::uint64_t number) {
    while (!numbers_.empty() && numbers_.front() <= number) numbers_.pop_front();
  }
  /// How many there are.
  [[nodiscard]] std::size_t size() const noexcept { return numbers_.size(); }

  /// How many of the messages that were seen to so far, kept or added here, no longer end with this process. While
  /// some always do, it rises by what was seen to a while ago.
  [[nodiscard]] std::size_t settled(std::size_t seen) noexcept {
    if (numbers_.empty() || numbers_.front() > awaited_) {
      settled_ = numbers_.empty() ? seen : seen_;
      seen_ = seen;
      awaited_ = numbers_.empty() ? 0 : numbers_.back();
    }
    return settled_;
  }

 private:
  std::deque<std::uint64_t> numbers_;
  std::size_t settled_ = 0;
  std::size_t seen_ = 0;       // how many were seen to a while ago
  std::uint64_t awaited_ = 0;  // the last that was here by then
};

}  // namespace livetape::bridge
