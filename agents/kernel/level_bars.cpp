#include "level_bars.hpp"

#include <algorithm>
#include <utility>

namespace livetape::kernel {

std::vector<LevelBars::Slot>::const_iterator LevelBars::position(std::int64_t start_ns) const {
  const auto from = slots_.begin() + static_cast<std::ptrdiff_t>(first_);
  return std::ranges::lower_bound(from, slots_.end(), start_ns, {}, &Slot::start_ns);
}

bool LevelBars::has(std::int64_t start_ns) const {
  const auto at = position(start_ns);
  return at != slots_.end() && at->start_ns == start_ns;
}

Bar* LevelBars::find(std::int64_t start_ns) {
  if (empty() || slots_.back().start_ns < start_ns) return nullptr;
  if (slots_.back().start_ns == start_ns) return &open(slots_.back());
  const auto at = position(start_ns);
  return at != slots_.end() && at->start_ns == start_ns ? &open(*at) : nullptr;
}

Bar& LevelBars::open(const Slot& slot) {
  if (slot.bar != nullptr) return *slot.bar;
  Slot& opened = slots_[static_cast<std::size_t>(&slot - slots_.data())];
  opened.bar = &store_->take();
  *opened.bar = BarStore::read(opened.sealed, opened.start_ns);
  opened.bar->is_logged = opened.is_logged;
  opened.bar->is_paged = opened.is_paged;
  store_->drop(std::exchange(opened.sealed, nullptr));
  find_newest();
  return *opened.bar;
}

void LevelBars::seal(const Bar& bar, Bytes text) {
  seal(static_cast<std::size_t>(position(bar.start_ns) - slots_.cbegin()), text);
}

void LevelBars::seal(std::size_t place, Bytes text) {
  Slot& slot = slots_[place];
  slot.is_logged = slot.bar->is_logged;
  slot.is_paged = slot.bar->is_paged;
  slot.sealed = store_->seal(text);
  store_->give_back(*std::exchange(slot.bar, nullptr));
  find_newest();
}

Bar& LevelBars::make(std::int64_t start_ns, bool is_final) {
  Bar& bar = store_->take();
  bar.start_ns = start_ns;
  bar.is_final = is_final;
  const bool is_newest = empty() || slots_.back().start_ns < start_ns;
  slots_.insert(is_newest ? slots_.cend() : position(start_ns), Slot{start_ns, &bar});
  forming_ += is_final ? 1 : 0;
  find_newest();
  return bar;
}

Bar& LevelBars::finalise_first() {
  Bar& bar = *slots_[forming_++].bar;
  bar.is_final = true;
  return bar;
}

void LevelBars::pop_front() {
  constexpr std::size_t kWorthMoving = 64;
  if (front().sealed != nullptr) store_->drop(front().sealed);
  ++first_;
  find_newest();
  if (first_ < kWorthMoving || first_ * 2 < slots_.size()) return;
  slots_.erase(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(first_));
  forming_ -= first_;
  first_ = 0;
}

LevelBars::Slots LevelBars::part(Slots slots, std::int64_t from_ns, std::int64_t to_ns) {
  const auto from = std::ranges::lower_bound(slots, from_ns, {}, &Slot::start_ns);
  const auto to = std::ranges::lower_bound(from, slots.end(), to_ns, {}, &Slot::start_ns);
  return {from, to};
}

void LevelBars::restore(Bar bar) {
  const std::int64_t start_ns = bar.start_ns;
  Bar* at = find(start_ns);
  if (at == nullptr) at = &make(start_ns, false);
  bar.is_paged = at->is_paged;
  *at = std::move(bar);
}

void LevelBars::restore_paged(const Bar& bar, Bytes text) {
  if (Bar* const newer = find(bar.start_ns)) {
    newer->is_paged = true;
    return;
  }
  const auto at = slots_.empty() || slots_.back().start_ns < bar.start_ns ? slots_.cend() : position(bar.start_ns);
  slots_.insert(at, Slot{bar.start_ns, nullptr, store_->seal(text), false, true});
  find_newest();
}

void LevelBars::restore_without(std::int64_t start_ns) {
  Bar* const bar = find(start_ns);
  if (bar == nullptr) return;
  bar->is_logged = false;
  if (bar->is_paged) return;
  slots_.erase(position(start_ns));
  store_->give_back(*bar);
  find_newest();
}

void LevelBars::restore_without_pages(std::int64_t from_ns, std::int64_t to_ns) {
  const auto from = slots_.begin() + (position(from_ns) - slots_.cbegin());
  const auto to = slots_.begin() + (position(to_ns) - slots_.cbegin());
  auto kept = from;
  for (auto slot = from; slot != to; ++slot) {
    bool& is_paged = slot->bar == nullptr ? slot->is_paged : slot->bar->is_paged;
    const bool is_gone =
        std::exchange(is_paged, false) && !(slot->bar == nullptr ? slot->is_logged : slot->bar->is_logged);
    if (!is_gone) {
      *kept++ = *slot;
    } else if (slot->bar == nullptr) {
      store_->drop(slot->sealed);
    } else {
      store_->give_back(*slot->bar);
    }
  }
  slots_.erase(kept, to);
  find_newest();
}

void LevelBars::restore_forming() {
  const auto from = std::ranges::find(slots_, false, &Slot::is_final);
  forming_ = static_cast<std::size_t>(from - slots_.begin());
}

}  // namespace livetape::kernel
