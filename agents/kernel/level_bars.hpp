#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bar.hpp"
#include "bar_pool.hpp"
#include "prefetch.hpp"

namespace livetape::kernel {

/// Bars of one level by start. All final ones come before all forming ones, since a watermark decides.
class LevelBars {
 public:
  using Bars = std::span<Bar* const>;

  explicit LevelBars(BarPool& pool) : pool_(&pool) {}

  [[nodiscard]] Bar* find(std::int64_t start_ns) const;
  /// The bar that starts last; null when there is none.
  [[nodiscard]] Bar* newest() const noexcept { return empty() ? nullptr : bars_.back(); }
  /// A bar that is not there yet; it belongs to the final ones or to the forming ones.
  Bar& make(std::int64_t start_ns, bool is_final);
  /// Makes the first forming bar the last final one.
  Bar& finalise_first();

  [[nodiscard]] bool has_forming() const noexcept { return forming_ < bars_.size(); }
  [[nodiscard]] Bar& first_forming() const { return *bars_[forming_]; }
  [[nodiscard]] bool empty() const noexcept { return first_ == bars_.size(); }
  [[nodiscard]] Bar& front() const { return *bars_[first_]; }
  /// Takes the first bar out. It is the caller's to give back.
  void pop_front();
  void prefetch_newest() const noexcept {
    if (!bars_.empty()) prefetch_object(bars_.back());
  }

  /// Bars that start in [from, to): all of them, those that are final, those that form.
  [[nodiscard]] Bars all(std::int64_t from_ns, std::int64_t to_ns) const { return part(all(), from_ns, to_ns); }
  [[nodiscard]] Bars final(std::int64_t from_ns, std::int64_t to_ns) const { return part(final(), from_ns, to_ns); }
  [[nodiscard]] Bars forming(std::int64_t from_ns, std::int64_t to_ns) const { return part(forming(), from_ns, to_ns); }
  [[nodiscard]] Bars final() const { return {bars_.data() + first_, forming_ - first_}; }
  [[nodiscard]] Bars forming() const { return {bars_.data() + forming_, bars_.size() - forming_}; }
  [[nodiscard]] Bars all() const { return {bars_.data() + first_, bars_.size() - first_}; }
  /// Puts a bar of the changelog in its place, over an older version of it; `restore_forming` is to follow.
  void restore(Bar bar);
  /// Takes a bar out of the state that is being restored.
  void restore_without(std::int64_t start_ns);
  /// Finds out again which bars are forming, after a restore.
  void restore_forming();

 private:
  [[nodiscard]] std::vector<Bar*>::const_iterator position(std::int64_t start_ns) const;
  [[nodiscard]] static Bars part(Bars bars, std::int64_t from_ns, std::int64_t to_ns);

  BarPool* pool_;
  std::vector<Bar*> bars_;  // [first_, forming_) final, [forming_, end) forming
  std::size_t first_ = 0;   // those before it are gone, and removed from time to time
  std::size_t forming_ = 0;
};

}  // namespace livetape::kernel
