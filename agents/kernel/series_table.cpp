#include "series_table.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstddef>
#include <utility>

namespace livetape::kernel {
namespace {

std::uint64_t hash_of(std::string_view venue, std::string_view instrument) noexcept {
  return XXH3_64bits_withSeed(instrument.data(), instrument.size(), XXH3_64bits(venue.data(), venue.size()));
}

}  // namespace

Series* SeriesTable::guess(std::string_view venue, std::string_view instrument) const noexcept {
  const std::uint64_t hash = hash_of(venue, instrument);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].series != nullptr && slots_[at].hash != hash) at = (at + 1) & mask;
  return slots_[at].series;
}

Series* SeriesTable::find(std::string_view venue, std::string_view instrument) const noexcept {
  const std::uint64_t hash = hash_of(venue, instrument);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].series != nullptr; at = (at + 1) & mask) {
    if (slots_[at].hash != hash) continue;
    Series* found = slots_[at].series;
    if (found->is(venue, instrument)) return found;
  }
  return nullptr;
}

Series& SeriesTable::insert(std::unique_ptr<Series> series) {
  if (2 * (all_.size() + 1) > slots_.size()) grow();
  all_.push_back(std::move(series));
  Series& added = *all_.back();
  place({hash_of(added.venue, added.instrument), &added});
  return added;
}

void SeriesTable::place(Slot slot) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = slot.hash & mask;
  while (slots_[at].series != nullptr) at = (at + 1) & mask;
  slots_[at] = slot;
}

void SeriesTable::grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
  for (const Slot& slot : old) {
    if (slot.series != nullptr) place(slot);
  }
}

}  // namespace livetape::kernel
