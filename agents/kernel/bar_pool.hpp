#pragma once

#include <cstddef>
#include <vector>

#include "bar.hpp"

namespace livetape::kernel {

/// The bars of a partition, in memory that is used again: a bar stays where it is until it is given back. Arrays that
/// grow would copy each bar twice, and the pages of their memory were a sixth of a worker's CPU.
class BarPool {
 public:
  BarPool() = default;
  ~BarPool();
  BarPool(const BarPool&) = delete;
  BarPool& operator=(const BarPool&) = delete;

  /// A bar as it is when it is made.
  Bar& take();
  void give_back(Bar& bar) { free_.push_back(&bar); }

 private:
  /// Memory for many bars, of which the first `made` are there.
  struct Slab {
    Bar* bars;
    std::size_t room;
    std::size_t made;
  };

  void add_slab();

  std::vector<Slab> slabs_;  // all but the last are full
  std::vector<Bar*> free_;
};

}  // namespace livetape::kernel
