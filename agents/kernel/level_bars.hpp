#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "bar.hpp"
#include "bar_store.hpp"
#include "prefetch.hpp"
#include "sorted_queue.hpp"

namespace livetape::kernel {

/// Bars of one level by start. All final ones come before all forming ones, since a watermark decides.
class LevelBars {
 public:
  /// One bar. A sealed one is read where it is only looked at, and opened to be changed.
  struct Slot {
    std::int64_t start_ns = 0;
    Bar* bar = nullptr;  // null when it is sealed
    BarStore::Sealed sealed = nullptr;
    bool is_logged = false;  // of a sealed one: what the changelog has of it
    bool is_paged = false;

    [[nodiscard]] bool is_final() const noexcept { return bar == nullptr || bar->is_final; }
  };
  using Slots = std::span<const Slot>;

  explicit LevelBars(BarStore& store) : store_(&store) {}

  /// The bar of this start, opened; null when there is none.
  [[nodiscard]] Bar* find(std::int64_t start_ns);
  [[nodiscard]] bool has(std::int64_t start_ns) const;
  /// The bar that starts last; null when there is none, or it is sealed.
  [[nodiscard]] Bar* newest() const noexcept { return newest_; }
  /// A bar that is not there yet; it belongs to the final ones or to the forming ones.
  Bar& make(std::int64_t start_ns, bool is_final);
  /// Makes the first forming bar the last final one.
  Bar& finalise_first();
  /// Keeps the bar that became final last as the bytes that say all of it, and gives its memory back.
  void seal_last_final(Bar& bar, Bytes text) { seal(slots_.begin()[forming_ - 1], bar, text); }
  /// The same for a final bar that is there.
  void seal(const Bar& bar, Bytes text);
  /// Opens a bar.
  Bar& open(const Slot& slot);
  /// Calls `visit` with each bar, which is not to be changed.
  template <typename Visit>
  void read(Slots slots, Visit visit) const {
    for (const Slot& slot : slots) {
      if (slot.bar != nullptr) {
        visit(static_cast<const Bar&>(*slot.bar));
      } else {
        visit(static_cast<const Bar&>(BarStore::read(slot.sealed, slot.start_ns)));
      }
    }
  }

  [[nodiscard]] bool has_forming() const noexcept { return first_forming_ != nullptr; }
  [[nodiscard]] Bar& first_forming() const { return *first_forming_; }
  /// Calls `visit` with each bar that forms, which nearly always is the newest alone.
  template <typename Visit>
  void each_forming(Visit visit) const {
    if (forming_ + 1 == slots_.size()) return visit(*newest_);
    for (const Slot& slot : forming()) visit(*slot.bar);
  }
  [[nodiscard]] bool empty() const noexcept { return slots_.empty(); }
  [[nodiscard]] bool has_final() const noexcept { return forming_ > 0; }
  [[nodiscard]] const Slot& front() const { return slots_.front(); }
  /// Takes the first bar out, which is final. Its memory is the caller's to give back, unless it is sealed.
  void pop_front();
  template <std::size_t kBytes>
  void prefetch_newest() const noexcept {
    if (newest_ != nullptr) prefetch_front<kBytes>(newest_);
  }
  /// Where the next bar is put, if the newest one, of this length, has ended by a time.
  void prefetch_place_behind(std::int64_t time_ns, std::int64_t length_ns) const noexcept {
    if (time_ns >= newest_start_ns_ + length_ns) __builtin_prefetch(slots_.end(), 1);
  }
  /// What making, finalising and evicting look at.
  void prefetch_slots() const noexcept { slots_.prefetch_ends(); }

  /// Bars that start in [from, to): all of them, those that are final, those that form. A forming one is never sealed.
  [[nodiscard]] Slots all(std::int64_t from_ns, std::int64_t to_ns) const { return part(all(), from_ns, to_ns); }
  [[nodiscard]] Slots final(std::int64_t from_ns, std::int64_t to_ns) const { return part(final(), from_ns, to_ns); }
  [[nodiscard]] Slots forming(std::int64_t from_ns, std::int64_t to_ns) const {
    return part(forming(), from_ns, to_ns);
  }
  [[nodiscard]] Slots final() const { return {slots_.begin(), forming_}; }
  [[nodiscard]] Slots forming() const { return {slots_.begin() + forming_, slots_.size() - forming_}; }
  [[nodiscard]] Slots all() const { return {slots_.begin(), slots_.size()}; }
  /// Puts a bar of the changelog in its place, over an older version of it; `restore_forming` is to follow.
  void restore(Bar bar);
  /// Puts a bar of a page in its place, sealed; `text` says all of it. One that is there already is newer.
  void restore_paged(const Bar& bar, Bytes text);
  /// Takes a bar out of the state that is being restored, unless a page has it still.
  void restore_without(std::int64_t start_ns);
  /// The same for bars that start in [from, to), which no page has any more.
  void restore_without_pages(std::int64_t from_ns, std::int64_t to_ns);
  /// Finds out again which bars are forming, after a restore.
  void restore_forming();

 private:
  static constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();

  [[nodiscard]] static Slots part(Slots slots, std::int64_t from_ns, std::int64_t to_ns);
  void seal(Slot& slot, Bar& bar, Bytes text);
  void add(const Slot& slot);
  void find_newest() noexcept;
  void find_first_forming() noexcept;

  BarStore* store_;
  // What trades need, with no look at the slots, which are far away: that of the last slot, null when it is sealed,
  // when it starts, and the first that forms.
  Bar* newest_ = nullptr;
  std::int64_t newest_start_ns_ = kNone;
  Bar* first_forming_ = nullptr;
  SortedQueue<Slot> slots_;
  std::size_t forming_ = 0;  // the first so many are final
};

}  // namespace livetape::kernel
