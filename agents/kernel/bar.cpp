#include "bar.hpp"

#include <algorithm>

namespace livetape::kernel {

void Aggregate::add(const Trade& trade) {
  if (trade.counts_for.high_low) take_range(trade.price, trade.price);
  if (trade.counts_for.open_close) {
    take_first(trade.order, trade.price, trade.id);
    take_last(trade.order, trade.price, trade.id);
    has_open_close = true;
  }
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

void Aggregate::merge(const Aggregate& other) {
  own_returns.append(other.returns());
  if (other.has_high_low) take_range(other.high, other.low);
  if (other.has_open_close) {
    take_first(other.first_order, other.open, other.first_id);
    take_last(other.last_order, other.close, other.last_id);
    has_open_close = true;
  }
  trade_count += other.trade_count;
  volume += other.volume;
  buy_volume += other.buy_volume;
  sell_volume += other.sell_volume;
  has_sides &= other.has_sides;
  notional += other.notional;
  first_offset = std::min(first_offset, other.first_offset);
  last_offset = std::max(last_offset, other.last_offset);
  newest_event_ns = std::max(newest_event_ns, other.newest_event_ns);
}

}  // namespace livetape::kernel
