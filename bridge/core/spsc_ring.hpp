#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "core/doorbell.hpp"

namespace livetape::bridge {

/// A bounded queue between one producing and one consuming thread, with no lock and no allocation after it is made.
template <typename T>
class SpscRing {
 public:
  /// `capacity` must be a power of two.
  explicit SpscRing(std::size_t capacity) : slots_(std::make_unique<T[]>(capacity)), mask_(capacity - 1) {}

  /// Rings this bell at every push; to be called before the producer starts.
  void ring_at_push(Doorbell& doorbell) noexcept { doorbell_ = &doorbell; }

  /// Producer: false when the ring is full.
  [[nodiscard]] bool push(const T& item) noexcept {
    const bool is_pushed = push_silently(item);
    if (is_pushed) ring();
    return is_pushed;
  }
  /// Producer: the same, for one who rings later himself.
  [[nodiscard]] bool push_silently(const T& item) noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head - seen_tail_ > mask_) {
      seen_tail_ = tail_.load(std::memory_order_acquire);
      if (head - seen_tail_ > mask_) return false;
    }
    slots_[head & mask_] = item;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }
  /// Producer: how many items it takes at least.
  [[nodiscard]] std::size_t room() noexcept {
    seen_tail_ = tail_.load(std::memory_order_acquire);
    return mask_ + 1 - (head_.load(std::memory_order_relaxed) - seen_tail_);
  }
  /// Producer: wakes the consumer, if it sleeps.
  void ring() noexcept {
    if (doorbell_ != nullptr) doorbell_->ring();
  }

  /// Consumer: the oldest item, to be released by `pop`; null when the ring is empty.
  [[nodiscard]] const T* front() noexcept {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == seen_head_) {
      seen_head_ = head_.load(std::memory_order_acquire);
      if (tail == seen_head_) return nullptr;
    }
    return &slots_[tail & mask_];
  }
  /// Consumer.
  [[nodiscard]] bool is_empty() noexcept { return front() == nullptr; }
  void pop() noexcept { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  /// Consumer: how many items were popped.
  [[nodiscard]] std::size_t popped() const noexcept { return tail_.load(std::memory_order_relaxed); }
  /// Consumer: so many of those that were popped no longer end with this process.
  void settle(std::size_t count) noexcept { settled_.store(count, std::memory_order_release); }

  /// Producer: how many items were pushed, and how many of them are settled.
  [[nodiscard]] std::size_t pushed() const noexcept { return head_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t settled() const noexcept { return settled_.load(std::memory_order_acquire); }

 private:
  static constexpr std::size_t kCacheLine = 64;  // each side's counters on a line of their own

  std::unique_ptr<T[]> slots_;
  std::size_t mask_;
  Doorbell* doorbell_ = nullptr;
  alignas(kCacheLine) std::atomic<std::size_t> head_{0};
  std::size_t seen_tail_ = 0;  // producer's
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
  std::size_t seen_head_ = 0;  // consumer's
  std::atomic<std::size_t> settled_{0};
};

}  // namespace livetape::bridge
