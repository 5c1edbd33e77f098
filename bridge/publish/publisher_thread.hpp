#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/doorbell.hpp"
#include "core/spsc_ring.hpp"
#include "core/thread.hpp"
#include "core/trade.hpp"

namespace livetape::bridge {

/// Empties the rings of all venues in turn, in one thread, until it is stopped and they are empty.
class PublisherThread {
 public:
  /// Takes a message of the ring with this number; called from the publisher's thread.
  using Take = std::function<void(std::size_t ring, const Message& message)>;
  /// What the publisher does after each round through the rings, whether it took something or not; called from its
  /// thread, at least each `kLongestSleep`. It is what settles the rings.
  using EndTurn = std::function<void()>;

  PublisherThread(const std::string& name, std::vector<SpscRing<Message>*> rings, Take take, EndTurn end_turn)
      : rings_(std::move(rings)), take_(std::move(take)), end_turn_(std::move(end_turn)) {
    for (SpscRing<Message>* ring : rings_) ring->ring_at_push(doorbell_);
    thread_ = start_thread(name, [this] { run(); });
  }
  ~PublisherThread() { stop(); }
  PublisherThread(const PublisherThread&) = delete;
  PublisherThread& operator=(const PublisherThread&) = delete;

  /// Publishes what is still in the rings, then ends. The venues must be stopped before.
  void stop() {
    stopping_ = true;
    doorbell_.ring();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    constexpr std::chrono::milliseconds kLongestSleep{10};
    for (;;) {
      const bool last_round = stopping_;
      const bool took = take_some();
      end_turn_();
      if (took) continue;
      if (last_round) return;
      doorbell_.sleep(kLongestSleep, [this] { return !stopping_ && are_rings_empty(); });
    }
  }

  [[nodiscard]] bool are_rings_empty() {
    return std::ranges::all_of(rings_, [](SpscRing<Message>* ring) { return ring->is_empty(); });
  }

  /// A busy venue must not keep the others waiting, so each has its turn after a few messages.
  bool take_some() {
    constexpr int kTurn = 256;
    bool took = false;
    for (std::size_t ring = 0; ring < rings_.size(); ++ring) {
      for (int i = 0; i < kTurn; ++i) {
        const Message* const message = rings_[ring]->front();
        if (message == nullptr) break;
        take_(ring, *message);
        rings_[ring]->pop();
        took = true;
      }
    }
    return took;
  }

  std::vector<SpscRing<Message>*> rings_;
  Take take_;
  EndTurn end_turn_;
  Doorbell doorbell_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace livetape::bridge
