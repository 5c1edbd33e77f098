#include "series_table.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

#include "livetape/int128.hpp"
#include "load_word.hpp"
#include "venue.hpp"

namespace livetape::kernel {
namespace {

/// Instruments have short names: two words that overlap are most of them.
std::uint64_t hash_of(const Venue& venue, std::string_view instrument) noexcept {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  if (instrument.size() < kWord || instrument.size() > 2 * kWord) {
    return XXH3_64bits_withSeed(instrument.data(), instrument.size(), venue.number);
  }
  const auto first = load_word(instrument.data());
  const auto last = load_word(instrument.data() + instrument.size() - kWord);
  const UInt128 mixed = static_cast<UInt128>((first + venue.number) ^ 0x9e3779b97f4a7c15) * (last ^ 0xd6e8feb86659fd93);
  return static_cast<std::uint64_t>(mixed) ^ static_cast<std::uint64_t>(mixed >> 64);
}

}  // namespace

std::uint64_t SeriesTable::prefetch(const Venue& venue, std::string_view instrument) const noexcept {
  const std::uint64_t hash = hash_of(venue, instrument);
  prefetch_object(&slots_[hash & (slots_.size() - 1)]);
  return hash;
}

Series* SeriesTable::guess(std::uint64_t hash) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].series != nullptr && slots_[at].hash != hash) at = (at + 1) & mask;
  return slots_[at].series;
}

Series* SeriesTable::find(const Venue& venue, std::string_view instrument) const noexcept {
  const std::uint64_t hash = hash_of(venue, instrument);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].series != nullptr; at = (at + 1) & mask) {
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
