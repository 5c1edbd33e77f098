#include "bar.hpp"

#include <bit>
#include <charconv>
#include <cstring>
#include <system_error>

namespace livetape::kernel {

namespace {

/// Eight digits, the first in the lowest byte, as a number: pairs, then pairs of pairs, then both halves.
constexpr std::uint64_t eight_digits(std::uint64_t digits) noexcept {
  digits = (digits & 0x0f0f0f0f0f0f0f0f) * 2561 >> 8;
  digits = (digits & 0x00ff00ff00ff00ff) * 6553601 >> 16;
  return (digits & 0x0000ffff0000ffff) * 42949672960001 >> 32;
}

constexpr bool are_digits(std::uint64_t bytes) noexcept {
  return ((bytes & 0xf0f0f0f0f0f0f0f0) | ((bytes + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4) ==
         0x3333333333333333;
}

}  // namespace

TradeIdView TradeIdView::parse(std::string_view id) noexcept {
  const bool is_canonical = !id.empty() && id[0] >= '0' && id[0] <= '9' && (id[0] != '0' || id.size() == 1);
  constexpr std::size_t kAtOnce = sizeof(std::uint64_t);
  constexpr std::size_t kSafeDigits = 18;  // cannot overflow
  if (!is_canonical) return {-1, id};
  TradeIdView parsed{0, {}};
  std::string_view rest = id;
  if (id.size() <= kSafeDigits && std::endian::native == std::endian::little) {
    while (rest.size() >= kAtOnce) {
      std::uint64_t bytes = 0;
      std::memcpy(&bytes, rest.data(), sizeof bytes);
      if (!are_digits(bytes)) return {-1, id};
      parsed.number = parsed.number * 100'000'000 + static_cast<std::int64_t>(eight_digits(bytes));
      rest.remove_prefix(kAtOnce);
    }
    for (const char c : rest) {
      if (c < '0' || c > '9') return {-1, id};
      parsed.number = parsed.number * 10 + (c - '0');
    }
    return parsed;
  }
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), parsed.number);
  if (error == std::errc{} && end == id.data() + id.size()) return parsed;
  return {-1, id};
}

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
