#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace livetape::bridge {

/// How a thread waits for a ring: it spins a little, since the next message is often near, then yields, then parks.
class BackOffIdle {
 public:
  void reset() noexcept { rounds_ = 0; }

  void idle() {
    constexpr int kSpins = 200;
    constexpr int kYields = 20;
    constexpr std::chrono::microseconds kPark{50};
    rounds_ = std::min(rounds_ + 1, kSpins + kYields + 1);
    if (rounds_ <= kSpins) return;
    if (rounds_ <= kSpins + kYields) return std::this_thread::yield();
    std::this_thread::sleep_for(kPark);
  }

 private:
  int rounds_ = 0;
};

}  // namespace livetape::bridge
