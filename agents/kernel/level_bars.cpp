#include "level_bars.hpp"

#include <algorithm>
#include <utility>

namespace livetape::kernel {

bool LevelBars::has(std::int64_t start_ns) const {
  const Slot* const at = slots_.from(start_ns);
  return at != slots_.end() && at->start_ns == start_ns;
}

Bar* LevelBars::find(std::int64_t start_ns) {
  if (newest_start_ns_ < start_ns) return nullptr;
  if (newest_start_ns_ == start_ns && newest_ != nullptr) return newest_;
  const Slot* const at = slots_.from(start_ns);
  return at != slots_.end() && at->start_ns == start_ns ? &open(*at) : nullptr;
}

Bar& LevelBars::open(const Slot& slot) {
  if (slot.bar != nullptr) return *slot.bar;
  Slot& opened = slots_.begin()[&slot - slots_.begin()];
  opened.bar = &store_->take();
  *opened.bar = BarStore::read(opened.sealed, opened.start_ns);
  opened.bar->is_logged = opened.is_logged;
  opened.bar->is_paged = opened.is_paged;
  store_->drop(std::exchange(opened.sealed, nullptr));
  if (opened.start_ns == newest_start_ns_) newest_ = opened.bar;
  return *opened.bar;
}

void LevelBars::seal(const Bar& bar, Bytes text) {
  Slot& slot = *slots_.from(bar.start_ns);
  seal(slot, *slot.bar, text);
}

void LevelBars::seal(Slot& slot, Bar& bar, Bytes text) {
  slot.is_logged = bar.is_logged;
  slot.is_paged = bar.is_paged;
  slot.sealed = store_->seal(text);
  slot.bar = nullptr;
  if (newest_ == &bar) newest_ = nullptr;
  store_->give_back(bar);
}

Bar& LevelBars::make(std::int64_t start_ns, bool is_final) {
  Bar& bar = store_->take();
  bar.start_ns = start_ns;
  bar.is_final = is_final;
  forming_ += is_final ? 1 : 0;
  add({start_ns, &bar});
  if (newest_ != &bar) {
    find_first_forming();
  } else if (!is_final && first_forming_ == nullptr) {
    first_forming_ = &bar;
  }
  return bar;
}

/// Puts a slot that is not there yet in its place, which nearly always is the end.
void LevelBars::add(const Slot& slot) {
  if (slot.start_ns <= newest_start_ns_) {
    slots_.insert(slot);
    return;
  }
  slots_.append(slot);
  newest_ = slot.bar;
  newest_start_ns_ = slot.start_ns;
}

Bar& LevelBars::finalise_first() {
  Bar& bar = *first_forming_;
  bar.is_final = true;
  ++forming_;
  if (forming_ + 1 == slots_.size()) {
    first_forming_ = newest_;
  } else {
    find_first_forming();
  }
  return bar;
}

void LevelBars::pop_front() {
  if (front().sealed != nullptr) store_->drop(front().sealed);
  slots_.pop_front();
  --forming_;
  if (empty()) find_newest();
}

void LevelBars::find_newest() noexcept {
  newest_ = empty() ? nullptr : slots_.back().bar;
  newest_start_ns_ = empty() ? kNone : slots_.back().start_ns;
}

void LevelBars::find_first_forming() noexcept {
  first_forming_ = forming_ < slots_.size() ? slots_.begin()[forming_].bar : nullptr;
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
  add({bar.start_ns, nullptr, store_->seal(text), false, true});
}

void LevelBars::restore_without(std::int64_t start_ns) {
  Bar* const bar = find(start_ns);
  if (bar == nullptr) return;
  bar->is_logged = false;
  if (bar->is_paged) return;
  const Slot* const at = slots_.from(start_ns);
  slots_.erase(at, at + 1);
  store_->give_back(*bar);
  find_newest();
}

void LevelBars::restore_without_pages(std::int64_t from_ns, std::int64_t to_ns) {
  Slot* const to = slots_.from(to_ns);
  Slot* kept = slots_.from(from_ns);
  for (Slot* slot = kept; slot != to; ++slot) {
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
  const Slot* const from = std::ranges::find(slots_, false, &Slot::is_final);
  forming_ = static_cast<std::size_t>(from - slots_.begin());
  find_first_forming();
}

}  // namespace livetape::kernel
