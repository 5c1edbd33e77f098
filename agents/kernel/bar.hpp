#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "decoded.hpp"
#include "livetape/decimal.hpp"
#include "livetape/uint256.hpp"
#include "prefetch.hpp"
#include "returns.hpp"
#include "trade_id.hpp"
#include "venue_rules.hpp"

/// Bars: what trades sum up to, and where a bar stands in its life.
namespace livetape::kernel {

inline constexpr UInt256 kNotionalLimit = UInt256::product(kDecimalLimit, kDecimalLimit);  // 10^76, exclusive

/// Order of trades within an instrument: the venue's own number, or else event time, then offset.
struct OrderKey {
  std::int64_t first = 0;
  std::int64_t second = 0;
  friend constexpr bool operator==(const OrderKey&, const OrderKey&) noexcept = default;
  [[gnu::always_inline]] friend constexpr std::strong_ordering operator<=>(const OrderKey& a,
                                                                           const OrderKey& b) noexcept {
    return a.first != b.first ? a.first <=> b.first : a.second <=> b.second;
  }
};

/// A trade that is to be folded.
struct Trade {
  TradeIdView id;
  OrderKey order;
  Int128 price = 0;
  UInt128 size = 0;
  UInt256 notional;
  std::int64_t event_time_ns = 0;
  std::int64_t offset = 0;
  Aggressor aggressor = Aggressor::unknown;
  CountsFor counts_for;
  bool has_own_order = false;  // by a number of its venue's; else by its time
};

/// How a trade stands to the newest of a sum, where its venue may begin to count its trades anew: orders of two counts
/// tell nothing of each other.
enum class Count : std::uint8_t { same, newer, former };

/// What a set of trades sums up to. Merging is exact: any grouping of the same trades gives the same, and any order
/// where returns are not asked for, which go on from base bar to base bar.
struct Aggregate {
  std::int64_t trade_count = 0;
  OrderKey first_order;
  OrderKey last_order;
  Int128 high = 0;
  Int128 low = 0;
  Int128 close = 0;
  UInt128 volume = 0;  // sums stay below 10^38: PartitionFold checks before it adds
  UInt128 buy_volume = 0;
  UInt128 sell_volume = 0;
  UInt256 notional;
  std::int64_t first_offset = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_offset = -1;
  std::int64_t newest_event_ns = std::numeric_limits<std::int64_t>::min();
  TradeId last_id;
  bool has_open_close = false;  // whether a trade that counts for them was there
  bool has_high_low = false;
  bool has_sides = true;      // whether all of its trades told their aggressor's side to the state
  bool is_recounted = false;  // whether its venue began to count anew between its first trade and its last
  bool starts_count = false;  // or with its first
  bool is_corrected = false;  // whether a trade stands in another's place: orders and times need not agree then
  // What is below is not looked at by a trade that is neither its first nor its last in the venue's order.
  Int128 open = 0;
  TradeId first_id;
  Returns own_returns;  // of a coarser bar; a base bar has its close only

  /// Takes a trade; returns stay as they are.
  void add(const Trade& trade, Count count_of_it = Count::same);
  /// The same of a trade that counts for everything, by its parts.
  [[gnu::always_inline]] void add_plain(const OrderKey& order, Int128 price, UInt128 size, std::int64_t event_time_ns,
                                        std::int64_t offset, Aggressor aggressor, const TradeIdView& id) {
    take_range(price, price);
    take_first(order, price, id);
    take_last(order, price, id);
    has_open_close = true;
    volume += size;
    notional += UInt256::product(static_cast<UInt128>(price), size);
    if (aggressor != Aggressor::unknown) (aggressor == Aggressor::buy ? buy_volume : sell_volume) += size;
    count(event_time_ns, offset);
  }
  /// Takes what follows in time; `is_anew` says that its last trade is of a newer count.
  void merge(const Aggregate& other, bool is_anew);
  [[nodiscard]] Returns returns() const noexcept;
  friend bool operator==(const Aggregate&, const Aggregate&) = default;

 private:
  [[gnu::always_inline]] void take_range(Int128 its_high, Int128 its_low) noexcept {
    if (!has_high_low || its_high > high) high = its_high;
    if (!has_high_low || its_low < low) low = its_low;
    has_high_low = true;
  }
  /// `Id` is a TradeId or a TradeIdView.
  template <typename Id>
  [[gnu::always_inline]] void take_first(const OrderKey& order, Int128 price, const Id& id) {
    if (has_open_close && (is_recounted || order >= first_order)) return;
    first_order = order;
    open = price;
    first_id = id;
  }
  template <typename Id>
  [[gnu::always_inline]] void take_last(const OrderKey& order, Int128 price, const Id& id) {
    if (has_open_close && order <= last_order) return;
    set_last(order, price, id);
  }
  template <typename Id>
  [[gnu::always_inline]] void set_last(const OrderKey& order, Int128 price, const Id& id) {
    last_order = order;
    close = price;
    last_id = id;
  }
  void take_open_close(const Trade& trade, Count count_of_it);
  void take_former(const Trade& trade);
  [[gnu::always_inline]] void count(std::int64_t event_time_ns, std::int64_t offset) noexcept {
    ++trade_count;
    if (offset < first_offset) first_offset = offset;
    if (offset > last_offset) last_offset = offset;
    if (event_time_ns > newest_event_ns) newest_event_ns = event_time_ns;
  }
};

/// A window of one instrument. `sum` holds the trades of a base bar, and of a coarser bar those of its final children.
/// Cache lines are what trades of many instruments cost: the first `kHotBytes` are all that a trade looks at.
struct alignas(kCacheLine) Bar {
  static constexpr std::size_t kHotBytes = 4 * kCacheLine;

  std::int64_t start_ns = 0;
  bool is_final = false;
  bool is_dirty = false;      // differs from the changelog
  bool is_listed = false;     // in Changes::dirty
  bool is_logged = false;     // the changelog has a record of it
  bool is_paged = false;      // a page of the changelog has it
  bool is_announced = false;  // waits to be published by the next flush
  bool is_gone = false;       // evicted, and still in a list
  Aggregate sum;
  std::int64_t missing = 0;  // trades that are known to be missing; of a venue without contiguous ids nobody knows
  std::int64_t seq = -1;     // offset that finalised or last revised it, or changed what it misses while it forms
  std::int32_t revision = 0;
};

}  // namespace livetape::kernel
