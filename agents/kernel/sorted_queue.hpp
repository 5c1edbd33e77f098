#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "prefetch.hpp"

namespace livetape::kernel {

/// What begins at some time, ascending by it, in one piece of memory: it comes at the end, nearly always, and goes at
/// the front. `Item` has a `start_ns`.
template <typename Item>
class SortedQueue {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == items_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return items_.size() - first_; }
  [[nodiscard]] Item* begin() noexcept { return items_.data() + first_; }
  [[nodiscard]] Item* end() noexcept { return items_.data() + items_.size(); }
  [[nodiscard]] const Item* begin() const noexcept { return items_.data() + first_; }
  [[nodiscard]] const Item* end() const noexcept { return items_.data() + items_.size(); }
  [[nodiscard]] Item& front() noexcept { return *begin(); }
  [[nodiscard]] const Item& front() const noexcept { return *begin(); }
  [[nodiscard]] const Item& back() const noexcept { return items_.back(); }
  /// The first that starts at this time or later.
  [[nodiscard]] Item* from(std::int64_t start_ns) noexcept {
    return std::ranges::lower_bound(begin(), end(), start_ns, {}, &Item::start_ns);
  }
  [[nodiscard]] const Item* from(std::int64_t start_ns) const noexcept {
    return std::ranges::lower_bound(begin(), end(), start_ns, {}, &Item::start_ns);
  }

  /// Adds one that starts after all others.
  void append(Item item) { items_.push_back(std::move(item)); }
  /// Adds one that starts at a time at which none does.
  Item& insert(Item item) {
    return *items_.insert(items_.begin() + (from(item.start_ns) - items_.data()), std::move(item));
  }
  void erase(const Item* from, const Item* to) {
    items_.erase(items_.begin() + (from - items_.data()), items_.begin() + (to - items_.data()));
  }
  /// Takes the first out. Its place goes when as many places as there are items can go at once.
  void pop_front() {
    constexpr std::size_t kWorthMoving = 8;
    front() = {};
    ++first_;
    if (first_ < kWorthMoving || first_ < size()) return;
    items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  void prefetch_ends() const noexcept {
    if (empty()) return;
    prefetch_object(&front());
    prefetch_object(&back());
  }

 private:
  std::vector<Item> items_;
  std::size_t first_ = 0;  // those before it are gone
};

}  // namespace livetape::kernel
