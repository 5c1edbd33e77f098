#include "bar.hpp"

#include <charconv>
#include <system_error>

namespace livetape::kernel {

TradeIdView TradeIdView::parse(std::string_view id) noexcept {
  const bool is_canonical = !id.empty() && id[0] >= '0' && id[0] <= '9' && (id[0] != '0' || id.size() == 1);
  TradeIdView parsed;
  if (is_canonical) {
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), parsed.number);
    if (error == std::errc{} && end == id.data() + id.size()) return parsed;
  }
  return {-1, id};
}

void Aggregate::add(const Trade& trade) {
  if (trade_count == 0) {
    high = low = trade.price;
  } else {
    high = std::max(high, trade.price);
    low = std::min(low, trade.price);
  }
  if (trade_count == 0 || trade.order < first_order) {
    first_order = trade.order;
    open = trade.price;
    first_id = trade.id;
  }
  if (trade_count == 0 || trade.order > last_order) {
    last_order = trade.order;
    close = trade.price;
    last_id = trade.id;
  }
  ++trade_count;
  volume += trade.size;
  notional += trade.notional;
  first_offset = std::min(first_offset, trade.offset);
  last_offset = std::max(last_offset, trade.offset);
  newest_event_ns = std::max(newest_event_ns, trade.event_time_ns);
}

void Aggregate::merge(const Aggregate& other) {
  if (other.trade_count == 0) return;
  if (trade_count == 0) {
    *this = other;
    return;
  }
  high = std::max(high, other.high);
  low = std::min(low, other.low);
  if (other.first_order < first_order) {
    first_order = other.first_order;
    open = other.open;
    first_id = other.first_id;
  }
  if (other.last_order > last_order) {
    last_order = other.last_order;
    close = other.close;
    last_id = other.last_id;
  }
  trade_count += other.trade_count;
  volume += other.volume;
  notional += other.notional;
  first_offset = std::min(first_offset, other.first_offset);
  last_offset = std::max(last_offset, other.last_offset);
  newest_event_ns = std::max(newest_event_ns, other.newest_event_ns);
}

}  // namespace livetape::kernel
