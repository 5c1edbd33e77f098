#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "livetape/int128.hpp"

namespace livetape::kernel {

/// A best bid and ask; a price of 0 is a side that nobody offers.
struct Quote {
  std::int64_t event_time_ns = 0;
  std::int64_t sequence = 0;  // the venue's, or the offset where it has none: decides between quotes of one time
  std::int64_t offset = 0;
  Int128 bid_price = 0;
  Int128 bid_size = 0;
  Int128 ask_price = 0;
  Int128 ask_size = 0;
};

/// The quotes of one instrument that a trade may still ask for, by time. What comes in order costs nothing more.
class QuoteQueue {
 public:
  void insert(const Quote& quote);
  /// The latest quote that is not after this time; null when there is none.
  [[nodiscard]] const Quote* as_of(std::int64_t time_ns) const noexcept;
  /// Forgets what is older; returns how many quotes that were.
  std::size_t drop_before(std::int64_t time_ns);

 private:
  std::vector<Quote> quotes_;  // ascending from `first_` on; before it they are forgotten
  std::size_t first_ = 0;
};

}  // namespace livetape::kernel
