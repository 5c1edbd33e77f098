#include "bar_pool.hpp"

#include <algorithm>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace livetape::kernel {
namespace {

constexpr std::size_t kFirstBytes = std::size_t{64} << 10;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::align_val_t kAlignment{kHugePage};

/// Bars of many instruments are met in no order: small pages would each be asked for, and looked up again, by itself.
void prefer_huge_pages(void* memory, std::size_t bytes) noexcept {
#if defined(__linux__)
  if (bytes % kHugePage == 0) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
}

}  // namespace

BarPool::~BarPool() {
  for (const Slab& slab : slabs_) {
    std::destroy_n(slab.bars, slab.made);
    operator delete(slab.bars, kAlignment);
  }
}

Bar& BarPool::take() {
  if (!free_.empty()) {
    Bar& bar = *free_.back();
    free_.pop_back();
    bar = Bar{};
    return bar;
  }
  if (slabs_.empty() || slabs_.back().made == slabs_.back().room) add_slab();
  Slab& slab = slabs_.back();
  return *std::construct_at(slab.bars + slab.made++);
}

/// Twice as large as the one before, up to a huge page.
void BarPool::add_slab() {
  const std::size_t doublings = std::min<std::size_t>(slabs_.size(), 5);
  const std::size_t bytes = kFirstBytes << doublings;
  static_assert(kFirstBytes << 5 == kHugePage);
  void* const memory = operator new(bytes, kAlignment);
  prefer_huge_pages(memory, bytes);
  slabs_.push_back({static_cast<Bar*>(memory), bytes / sizeof(Bar), 0});
}

}  // namespace livetape::kernel
