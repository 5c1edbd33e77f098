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
  std::int64_t appended_ms = 0;  // when its log took it
  Int128 bid_price = 0;
  Int128 bid_size = 0;
  Int128 ask_price = 0;
  Int128 ask_size = 0;
};

/// The quotes of one instrument that a trade may still ask for, by time. What comes in order costs nothing more.
class QuoteQueue {
 public:
  void insert(const Quote& quote);
  /// The latest quote in [from_ns, time_ns] of which `counts` is true; null when there is none.
  template <typename Counts>
  [[nodiscard]] const Quote* as_of(std::int64_t from_ns, std::int64_t time_ns, Counts counts) const {
    for (const Quote* quote = behind(time_ns); quote != quotes_.data() + first_;) {
      --quote;
      if (quote->event_time_ns < from_ns) return nullptr;
      if (counts(*quote)) return quote;
    }
    return nullptr;
  }
  /// Forgets what is older, or came to its log before; returns how many quotes that were.
  std::size_t drop_before(std::int64_t time_ns, std::int64_t appended_ms);

 private:
  /// The first quote that is after this time.
  [[nodiscard]] const Quote* behind(std::int64_t time_ns) const noexcept;

  std::vector<Quote> quotes_;  // ascending from `first_` on; before it they are forgotten
  std::size_t first_ = 0;
};

}  // namespace livetape::kernel
