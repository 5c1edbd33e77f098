#pragma once

#include <atomic>
#include <chrono>
#include <semaphore>

namespace livetape::bridge {

/// How a consumer of rings sleeps while they are empty, and is woken by the next message. A producer pays one atomic
/// exchange a message, and a system call only when the consumer sleeps.
class Doorbell {
 public:
  /// Producer: to be called after a message was put into a ring.
  void ring() noexcept {
    if (asleep_.exchange(false, std::memory_order_acq_rel)) bell_.release();
  }

  /// Consumer: sleeps until a producer rings, `longest` at the most. `is_empty` is asked once more after producers can
  /// see that the consumer sleeps: what was put in before that would not ring.
  template <typename IsEmpty>
  void sleep(std::chrono::milliseconds longest, IsEmpty is_empty) {
    asleep_.exchange(true, std::memory_order_acq_rel);
    const bool is_woken = is_empty() && bell_.try_acquire_for(longest);
    // Whoever found it asleep rings for certain: a ring that was not waited for is taken, or it would count next time.
    if (!asleep_.exchange(false, std::memory_order_acq_rel) && !is_woken) bell_.acquire();
  }

 private:
  std::atomic<bool> asleep_{false};
  std::binary_semaphore bell_{0};
};

}  // namespace livetape::bridge
