#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace livetape::bridge {

/// Which of a session's messages the brokers have. Copies are acknowledged partition by partition and in any order;
/// what counts is the number up to which all are. One thread's alone, and it does not allocate once it is made.
class DeliveryWindow {
 public:
  /// `capacity`, a power of two: how many messages may be under way.
  explicit DeliveryWindow(std::size_t capacity) : copies_(capacity) {}

  [[nodiscard]] bool has_room(std::uint64_t sequence) const noexcept {
    return is_empty() || sequence - base_ < copies_.size();
  }

  /// A message is under way, in so many copies. Numbers rise; those left out are none of the topic's, or are lost: with
  /// nothing under way it makes no difference how many they are.
  void sent(std::uint64_t sequence, std::uint8_t copies) noexcept {
    if (is_empty()) base_ = next_ = sequence;
    for (; next_ < sequence; ++next_) at(next_) = 0;
    at(sequence) = copies;
    next_ = sequence + 1;
  }

  /// One more copy of a message is there.
  void delivered(std::uint64_t sequence) noexcept {
    --at(sequence);
    while (base_ < next_ && at(base_) == 0) ++base_;
  }

  /// The number up to which all messages that were under way are delivered; 0 before the first.
  [[nodiscard]] std::uint64_t confirmed() const noexcept { return base_ == 0 ? 0 : base_ - 1; }
  [[nodiscard]] bool is_empty() const noexcept { return base_ == next_; }

 private:
  [[nodiscard]] std::uint8_t& at(std::uint64_t sequence) noexcept { return copies_[sequence & (copies_.size() - 1)]; }

  std::vector<std::uint8_t> copies_;  // not yet delivered, by number
  std::uint64_t base_ = 0;            // the oldest that is under way
  std::uint64_t next_ = 0;
};

}  // namespace livetape::bridge
