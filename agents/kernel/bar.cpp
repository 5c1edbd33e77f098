#include "bar.hpp"

#include <algorithm>

namespace livetape::kernel {

void Aggregate::take_open_close(const Trade& trade, Count count_of_it) {
  if (count_of_it == Count::former) return take_former(trade);
  if (count_of_it == Count::newer) {
    set_last(trade.order, trade.price, trade.id);
    is_recounted = true;
  }
  take_first(trade.order, trade.price, trade.id);
  take_last(trade.order, trade.price, trade.id);
  has_open_close = true;
}

/// A trade of a former count comes before all of the newest.
void Aggregate::take_former(const Trade& trade) {
  const bool is_between = is_recounted && trade.order >= first_order;
  is_recounted = true;
  starts_count = false;
  if (is_between) return;
  first_order = trade.order;
  open = trade.price;
  first_id = trade.id;
}

void Aggregate::add(const Trade& trade, Count count_of_it) {
  if (trade.counts_for.high_low) take_range(trade.price, trade.price);
  if (trade.counts_for.open_close) take_open_close(trade, has_open_close ? count_of_it : Count::same);
  if (trade.counts_for.volume) {
    volume += trade.size;
    notional += trade.notional;
    if (trade.aggressor == Aggressor::buy) buy_volume += trade.size;
    if (trade.aggressor == Aggressor::sell) sell_volume += trade.size;
  }
  count(trade.event_time_ns, trade.offset);
}

Returns Aggregate::returns() const noexcept {
  const bool is_base = own_returns.is_known && own_returns.first_close == 0 && has_open_close;
  return is_base ? Returns{.first_close = close, .last_close = close} : own_returns;
}

void Aggregate::merge(const Aggregate& other, bool is_anew) {
  own_returns.append(other.returns());
  if (other.has_high_low) take_range(other.high, other.low);
  if (other.has_open_close) {
    if (!has_open_close) starts_count = other.starts_count;
    // One that goes over to the newer count itself begins with this sum's: its first trade may be the first of all.
    const bool begins_anew = is_anew && (other.starts_count || !other.is_recounted);
    is_recounted |= begins_anew;
    take_first(other.first_order, other.open, other.first_id);
    if (is_anew) set_last(other.last_order, other.close, other.last_id);
    take_last(other.last_order, other.close, other.last_id);
    has_open_close = true;
    is_recounted |= other.is_recounted;
  }
  trade_count += other.trade_count;
  volume += other.volume;
  buy_volume += other.buy_volume;
  sell_volume += other.sell_volume;
  has_sides &= other.has_sides;
  is_corrected |= other.is_corrected;
  notional += other.notional;
  first_offset = std::min(first_offset, other.first_offset);
  last_offset = std::max(last_offset, other.last_offset);
  newest_event_ns = std::max(newest_event_ns, other.newest_event_ns);
}

}  // namespace livetape::kernel
