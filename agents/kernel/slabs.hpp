#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace livetape::kernel {

/// Objects that stay where they are until all are destroyed, side by side in large pieces of memory. Those of many
/// instruments are met in no order: small pages would each be asked for, and looked up again, by itself.
template <typename T>
class Slabs {
 public:
  Slabs() = default;
  ~Slabs() {
    for (const Slab& slab : slabs_) {
      std::destroy_n(slab.objects, slab.made);
      operator delete(slab.objects, kAlignment);
    }
  }
  Slabs(const Slabs&) = delete;
  Slabs& operator=(const Slabs&) = delete;

  template <typename... Args>
  T& make(Args&&... args) {
    if (slabs_.empty() || slabs_.back().made == slabs_.back().room) add_slab();
    Slab& slab = slabs_.back();
    T* const made = std::construct_at(slab.objects + slab.made, std::forward<Args>(args)...);
    ++slab.made;
    return *made;
  }

 private:
  struct Slab {
    T* objects;
    std::size_t room;
    std::size_t made;  // the first so many are there
  };

  static constexpr std::size_t kFirstBytes = std::size_t{64} << 10;
  static constexpr std::size_t kDoublings = 5;
  static constexpr std::size_t kHugePage = kFirstBytes << kDoublings;
  static constexpr std::align_val_t kAlignment{kHugePage};

  /// Twice as large as the one before, up to a huge page.
  void add_slab() {
    const std::size_t bytes = kFirstBytes << std::min(slabs_.size(), kDoublings);
    void* const memory = operator new(bytes, kAlignment);
#if defined(__linux__)
    if (bytes == kHugePage) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    slabs_.push_back({static_cast<T*>(memory), bytes / sizeof(T), 0});
  }

  std::vector<Slab> slabs_;  // all but the last are full
};

}  // namespace livetape::kernel
