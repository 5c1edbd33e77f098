#include "series_table.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

namespace livetape::kernel {
std::uint64_t SeriesTable::hash_of_other(const Venue& venue, std::string_view instrument) noexcept {
  return XXH3_64bits_withSeed(instrument.data(), instrument.size(), venue.number);
}

Series* SeriesTable::find(const Venue& venue, std::string_view instrument) const noexcept {
  const std::uint64_t hash = hash_of(venue, instrument);
  for (std::size_t at = hash & mask_; slots_[at].series != nullptr; at = (at + 1) & mask_) {
    if (slots_[at].hash != hash) continue;
    Series* found = slots_[at].series;
    if (found->is(venue, instrument)) return found;
  }
  return nullptr;
}

Series& SeriesTable::insert(std::string instrument, Venue& home, const FoldConfig& config, BarStore& store) {
  if (2 * (all_.size() + 1) > slots_.size()) grow();
  Series& added = memory_.make(std::move(instrument), home, config, store);
  all_.push_back(&added);
  place({hash_of(added.home, added.instrument), &added});
  return added;
}

void SeriesTable::sort() {
  std::ranges::sort(all_, {}, [](const Series* each) { return std::tie(each->home.name, each->instrument); });
}

void SeriesTable::place(Slot slot) noexcept {
  std::size_t at = slot.hash & mask_;
  while (slots_[at].series != nullptr) at = (at + 1) & mask_;
  slots_[at] = slot;
}

void SeriesTable::grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
  mask_ = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.series != nullptr) place(slot);
  }
}

}  // namespace livetape::kernel
