#include "trade_history.hpp"

#include <algorithm>
#include <utility>

namespace livetape::kernel {

namespace {

/// Whether a bar cannot tell two trades apart, but for which came first.
bool is_alike(const Trade& a, const Trade& b) noexcept {
  return a.price == b.price && a.size == b.size && a.event_time_ns == b.event_time_ns && a.aggressor == b.aggressor &&
         a.counts_for == b.counts_for;
}

}  // namespace

void TradeHistory::Entry::swap_with(Trade& other) {
  std::swap(trade, other);
  touches.front() = {trade.event_time_ns, trade.offset};
}

void TradeHistory::add(const Trade& trade, std::string_view id) {
  const auto [known, is_new] = by_id_.try_emplace(std::string(id), entries_.size());
  if (is_new) {
    entries_.push_back({trade, std::string(id), {{trade.event_time_ns, trade.offset}}});
    return;
  }
  Entry& entry = entries_[known->second];
  if (entry.is_as_it_came() && !is_alike(entry.trade, trade)) entry.others.push_back(trade);
}

bool TradeHistory::settle(std::int64_t from_ns, std::int64_t to_ns, const Aggregate& known) {
  const auto adds_up = [&] {
    const Aggregate found = sum(from_ns, to_ns);
    return found.trade_count == known.trade_count && found.volume == known.volume && found.notional == known.notional &&
           found.high == known.high && found.low == known.low;
  };
  const auto is_in = [&](const Trade& trade) { return trade.event_time_ns >= from_ns && trade.event_time_ns < to_ns; };
  if (adds_up()) return true;
  for (Entry& entry : entries_) {
    if (!entry.is_as_it_came()) continue;
    for (Trade& other : entry.others) {
      if (!is_in(entry.trade) && !is_in(other)) continue;
      entry.swap_with(other);
      if (adds_up()) return true;
      entry.swap_with(other);
    }
  }
  return false;
}

bool TradeHistory::correct(std::string_view id, const Trade& by, std::string_view by_id, bool has_own_order) {
  Entry* entry = find(id);
  if (entry == nullptr) return false;
  const auto number = static_cast<std::size_t>(entry - entries_.data());
  const Trade before = entry->trade;
  by_id_.try_emplace(std::string(by_id), number);
  entry->corrections.push_back(by.offset);
  if (is_alike(before, by)) {
    entry->other_ids.emplace_back(by_id);
    return true;  // the same correction once more
  }
  entry->trade = by;
  if (!has_own_order) entry->trade.order = before.order;
  entry->touches.push_back({before.event_time_ns, by.offset});
  // The bar that it moves to begins, in the log, where the trade itself does: without it the correction finds nothing.
  entry->touches.push_back({by.event_time_ns, entry->touches.front().offset});
  entry->touches.push_back({by.event_time_ns, by.offset});
  entry->other_ids.push_back(std::exchange(entry->id, by_id));
  return true;
}

bool TradeHistory::cancel(std::string_view id, std::int64_t offset) {
  Entry* entry = find(id);
  if (entry == nullptr) return false;
  entry->is_cancelled = true;
  entry->touches.push_back({entry->trade.event_time_ns, offset});
  return true;
}

bool TradeHistory::is_cancelled(std::string_view id) const {
  const auto found = by_id_.find(std::string(id));
  return found != by_id_.end() && entries_[found->second].is_cancelled;
}

bool TradeHistory::are_one(std::string_view id, std::string_view other_id) const {
  const auto found = by_id_.find(std::string(id));
  const auto other = by_id_.find(std::string(other_id));
  return found != by_id_.end() && other != by_id_.end() && found->second == other->second;
}

std::vector<std::string> TradeHistory::ids(std::string_view id) const {
  const auto found = by_id_.find(std::string(id));
  if (found == by_id_.end()) return {};
  std::vector<std::string> ids = entries_[found->second].other_ids;
  ids.push_back(entries_[found->second].id);
  return ids;
}

std::vector<std::int64_t> TradeHistory::corrections(std::string_view id) const {
  const auto found = by_id_.find(std::string(id));
  return found == by_id_.end() ? std::vector<std::int64_t>{} : entries_[found->second].corrections;
}

std::optional<std::int64_t> TradeHistory::time_of(std::string_view id) const {
  const auto found = by_id_.find(std::string(id));
  if (found == by_id_.end()) return std::nullopt;
  return entries_[found->second].trade.event_time_ns;
}

Aggregate TradeHistory::sum(std::int64_t from_ns, std::int64_t to_ns) const {
  const auto is_in = [&](std::int64_t time_ns) { return time_ns >= from_ns && time_ns < to_ns; };
  Aggregate sum;
  for (const Entry& entry : entries_) {
    if (is_in(entry.trade.event_time_ns) && !entry.is_cancelled) {
      Trade trade = entry.trade;
      trade.id = TradeIdView::parse(entry.id);
      sum.add(trade);
    }
    for (const Touch& touch : entry.touches) {
      if (!is_in(touch.time_ns)) continue;
      sum.first_offset = std::min(sum.first_offset, touch.offset);
      sum.last_offset = std::max(sum.last_offset, touch.offset);
    }
  }
  return sum;
}

std::vector<Trade> TradeHistory::trades(std::int64_t from_ns, std::int64_t to_ns) const {
  std::vector<Trade> found;
  for (const Entry& entry : entries_) {
    const std::int64_t time_ns = entry.trade.event_time_ns;
    if (entry.is_cancelled || time_ns < from_ns || time_ns >= to_ns) continue;
    found.push_back(entry.trade);
    found.back().id = TradeIdView::parse(entry.id);
  }
  return found;
}

TradeHistory::Entry* TradeHistory::find(std::string_view id) {
  const auto found = by_id_.find(std::string(id));
  if (found == by_id_.end() || entries_[found->second].is_cancelled) return nullptr;
  return &entries_[found->second];
}

}  // namespace livetape::kernel
