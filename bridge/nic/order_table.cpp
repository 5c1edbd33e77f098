#include "nic/order_table.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace livetape::bridge {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

OrderTable::OrderTable(std::size_t orders) {
  const std::size_t slots = std::max(std::bit_ceil(2 * orders + 2), 2 * kBlockSlots);
  slots_ = make_slots(slots);
  mask_ = slots - 1;
  shift_ = shift_of(slots);
}

unsigned OrderTable::shift_of(std::size_t slots) noexcept {
  return 64U - static_cast<unsigned>(std::countr_zero(slots / kBlockSlots));
}

/// Zeroed, which has the kernel back all of it now and not message by message; in huge pages where it gives some, since
/// orders lie anywhere in it.
OrderTable::Slots OrderTable::make_slots(std::size_t count) {
  const std::size_t bytes = count * sizeof(Slot);
  const std::size_t alignment = bytes < kHugePage ? kCacheLine : kHugePage;
  Slots slots(static_cast<Slot*>(std::aligned_alloc(alignment, bytes)));
  if (!slots) throw std::bad_alloc();
  if (bytes >= kHugePage) (void)::madvise(slots.get(), bytes, MADV_HUGEPAGE);
  std::memset(slots.get(), 0, bytes);
  return slots;
}

void OrderTable::grow() {
  const std::size_t old_count = mask_ + 1;
  const Slots old = std::exchange(slots_, make_slots(2 * old_count));
  mask_ = 2 * old_count - 1;
  shift_ = shift_of(2 * old_count);
  for (std::size_t from = 0; from < old_count; ++from) {
    if (old[from].shares == 0) continue;
    std::size_t to = home_of(old[from].reference());
    while (slots_[to].shares != 0) to = (to + 1) & mask_;
    slots_[to] = old[from];
  }
}

void OrderTable::clear() noexcept {
  std::memset(slots_.get(), 0, (mask_ + 1) * sizeof(Slot));
  size_ = 0;
}

}  // namespace livetape::bridge
