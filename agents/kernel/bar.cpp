#include "bar.hpp"

#include <algorithm>

namespace livetape::kernel {

void Aggregate::add(const Trade& trade) {
  if (trade.counts_for.high_low) {
    high = has_high_low ? std::max(high, trade.price) : trade.price;
    low = has_high_low ? std::min(low, trade.price) : trade.price;
    has_high_low = true;
  }
  if (trade.counts_for.open_close) {
    if (!has_open_close || trade.order < first_order) {
      first_order = trade.order;
      open = trade.price;
      first_id = trade.id;
    }
    if (!has_open_close || trade.order > last_order) {
      last_order = trade.order;
      close = trade.price;
      last_id = trade.id;
    }
    has_open_close = true;
  }
  if (trade.counts_for.volume) {
    volume += trade.size;
    notional += trade.notional;
    if (trade.aggressor == Aggressor::buy) buy_volume += trade.size;
    if (trade.aggressor == Aggressor::sell) sell_volume += trade.size;
  }
  ++trade_count;
  first_offset = std::min(first_offset, trade.offset);
  last_offset = std::max(last_offset, trade.offset);
  newest_event_ns = std::max(newest_event_ns, trade.event_time_ns);
}

void Aggregate::merge(const Aggregate& other) {
  if (other.has_high_low) {
    high = has_high_low ? std::max(high, other.high) : other.high;
    low = has_high_low ? std::min(low, other.low) : other.low;
    has_high_low = true;
  }
  if (other.has_open_close) {
    if (!has_open_close || other.first_order < first_order) {
      first_order = other.first_order;
      open = other.open;
      first_id = other.first_id;
    }
    if (!has_open_close || other.last_order > last_order) {
      last_order = other.last_order;
      close = other.close;
      last_id = other.last_id;
    }
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
