#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "livetape/int128.hpp"
#include "load_word.hpp"
#include "prefetch.hpp"
#include "series.hpp"
#include "slabs.hpp"
#include "venue.hpp"

namespace livetape::kernel {

/// The series of a partition by venue and instrument. Every trade is looked up here: one hash and, nearly always, one
/// slot, with nothing allocated.
class SeriesTable {
 public:
  [[nodiscard]] Series* find(const Venue& venue, std::string_view instrument) const noexcept;
  /// What `guess` takes; brings near what it looks at.
  [[nodiscard]] std::uint64_t prefetch(const Venue& venue, std::string_view instrument) const noexcept {
    const std::uint64_t hash = hash_of(venue, instrument);
    prefetch_object(&slots_[hash & mask_]);
    return hash;
  }
  /// The series that `find` would most likely give, without a look at it: its names are not compared. May be null.
  [[nodiscard]] Series* guess(std::uint64_t hash) const noexcept {
    std::size_t at = hash & mask_;
    while (slots_[at].series != nullptr && slots_[at].hash != hash) at = (at + 1) & mask_;
    return slots_[at].series;
  }
  /// Adds a series that is not there yet.
  Series& insert(std::string instrument, Venue& home, const FoldConfig& config, BarStore& store);
  /// Puts all of them in the order of their names: what a compacted log restores comes in any.
  void sort();
  /// All of them, in the order they came since they were sorted.
  [[nodiscard]] const std::vector<Series*>& all() const noexcept { return all_; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    Series* series = nullptr;
  };

  /// Instruments have short names: two words that overlap are most of them.
  [[gnu::always_inline]] static std::uint64_t hash_of(const Venue& venue, std::string_view instrument) noexcept {
    constexpr std::size_t kWord = sizeof(std::uint64_t);
    if (instrument.size() < kWord || instrument.size() > 2 * kWord) return hash_of_other(venue, instrument);
    const auto first = load_word(instrument.data());
    const auto last = load_word(instrument.data() + instrument.size() - kWord);
    const UInt128 mixed =
        static_cast<UInt128>((first + venue.number) ^ 0x9e3779b97f4a7c15) * (last ^ 0xd6e8feb86659fd93);
    return static_cast<std::uint64_t>(mixed) ^ static_cast<std::uint64_t>(mixed >> 64);
  }
  static std::uint64_t hash_of_other(const Venue& venue, std::string_view instrument) noexcept;
  void place(Slot slot) noexcept;
  void grow();

  std::vector<Slot> slots_ = std::vector<Slot>(64);  // a power of two, at most half full
  std::size_t mask_ = slots_.size() - 1;
  Slabs<Series> memory_;
  std::vector<Series*> all_;
};

}  // namespace livetape::kernel
