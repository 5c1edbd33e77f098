#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "series.hpp"
#include "slabs.hpp"

namespace livetape::kernel {

/// The series of a partition by venue and instrument. Every trade is looked up here: one hash and, nearly always, one
/// slot, with nothing allocated.
class SeriesTable {
 public:
  [[nodiscard]] Series* find(const Venue& venue, std::string_view instrument) const noexcept;
  /// What `guess` takes; brings near what it looks at.
  [[nodiscard]] std::uint64_t prefetch(const Venue& venue, std::string_view instrument) const noexcept;
  /// The series that `find` would most likely give, without a look at it: its names are not compared. May be null.
  [[nodiscard]] Series* guess(std::uint64_t hash) const noexcept;
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

  void place(Slot slot) noexcept;
  void grow();

  std::vector<Slot> slots_ = std::vector<Slot>(64);  // a power of two, at most half full
  Slabs<Series> memory_;
  std::vector<Series*> all_;
};

}  // namespace livetape::kernel
