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

/// What a trade that stands in another's place is in the venue's order.
Trade in_place_of(const Trade& before, Trade by) noexcept {
  if (by.has_own_order) return by;
  by.order = before.has_own_order ? before.order : OrderKey{by.event_time_ns, before.order.second};
  by.has_own_order = before.has_own_order;
  return by;
}

}  // namespace

void TradeHistory::Entry::swap_with(Trade& other) {
  std::swap(trade, other);
  touches.front() = {trade.event_time_ns, trade.offset};
}

void TradeHistory::add(const Trade& trade, std::string_view id, std::size_t numbering) {
  const auto [first, last] = by_id_.equal_range(std::string(id));
  const auto same =
      std::find_if(first, last, [&](const auto& each) { return entries_[each.second].numbering == numbering; });
  if (same == last) {
    by_id_.emplace(std::string(id), entries_.size());
    entries_.push_back({trade, std::string(id), {{trade.event_time_ns, trade.offset}}, numbering});
    return;
  }
  Entry& entry = entries_[same->second];
  if (!entry.is_as_it_came() || is_alike(entry.trade, trade)) return;
  entry.others.push_back(trade);
  has_others_ = true;
}

bool TradeHistory::settle(std::int64_t from_ns, std::int64_t to_ns, const Aggregate& known) {
  const auto adds_up = [&] {
    const Aggregate found = sum(from_ns, to_ns);
    return found.trade_count == known.trade_count && found.volume == known.volume && found.notional == known.notional &&
           found.high == known.high && found.low == known.low;
  };
  const auto is_in = [&](const Trade& trade) { return trade.event_time_ns >= from_ns && trade.event_time_ns < to_ns; };
  if (adds_up()) return true;
  const std::vector<std::pair<Entry*, Trade*>> brought = bring_in(from_ns, to_ns);
  if (!brought.empty() && adds_up()) return true;
  for (const auto& [entry, other] : brought) entry->swap_with(*other);
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

std::vector<std::pair<TradeHistory::Entry*, Trade*>> TradeHistory::bring_in(std::int64_t from_ns, std::int64_t to_ns) {
  const auto is_in = [&](const Trade& trade) { return trade.event_time_ns >= from_ns && trade.event_time_ns < to_ns; };
  std::vector<std::pair<Entry*, Trade*>> brought;
  for (Entry& entry : entries_) {
    if (!entry.is_as_it_came() || is_in(entry.trade)) continue;
    const auto other = std::ranges::find_if(entry.others, is_in);
    if (other == entry.others.end()) continue;
    entry.swap_with(*other);
    brought.emplace_back(&entry, &*other);
  }
  return brought;
}

bool TradeHistory::correct(std::string_view id, const Trade& by, std::string_view by_id, std::string identity) {
  Entry* entry = standing(id);
  if (entry == nullptr) return false;
  identities_.insert(std::move(identity));
  const auto number = static_cast<std::size_t>(entry - entries_.data());
  const Trade before = entry->trade;
  if (known(by_id) == nullptr) by_id_.emplace(std::string(by_id), number);
  entry->corrections.push_back(by.offset);
  if (is_alike(before, by)) {
    entry->other_ids.emplace_back(by_id);
    return true;  // it names the trade alone
  }
  entry->trade = in_place_of(before, by);
  entry->touches.push_back({before.event_time_ns, by.offset});
  // The bar that it moves to begins, in the log, where the trade itself does: without it the correction finds nothing.
  entry->touches.push_back({by.event_time_ns, entry->touches.front().offset});
  entry->touches.push_back({by.event_time_ns, by.offset});
  entry->other_ids.push_back(std::exchange(entry->id, by_id));
  return true;
}

bool TradeHistory::cancel(std::string_view id, std::int64_t offset) {
  Entry* entry = standing(id);
  if (entry == nullptr) return false;
  entry->is_cancelled = true;
  entry->touches.push_back({entry->trade.event_time_ns, offset});
  return true;
}

bool TradeHistory::is_cancelled(std::string_view id) const {
  const Entry* entry = known(id);
  return entry != nullptr && entry->is_cancelled;
}

bool TradeHistory::are_one(std::string_view id, std::string_view other_id) const {
  const Entry* entry = known(id);
  return entry != nullptr && entry == known(other_id);
}

std::vector<std::string> TradeHistory::ids(std::string_view id) const {
  const Entry* entry = known(id);
  if (entry == nullptr) return {};
  std::vector<std::string> ids = entry->other_ids;
  ids.push_back(entry->id);
  return ids;
}

std::vector<std::int64_t> TradeHistory::corrections(std::string_view id) const {
  const Entry* entry = known(id);
  return entry == nullptr ? std::vector<std::int64_t>{} : entry->corrections;
}

std::optional<std::int64_t> TradeHistory::time_of(std::string_view id) const {
  const Entry* entry = known(id);
  return entry == nullptr ? std::nullopt : std::optional(entry->trade.event_time_ns);
}

Aggregate TradeHistory::sum(std::int64_t from_ns, std::int64_t to_ns) const {
  const auto is_in = [&](std::int64_t time_ns) { return time_ns >= from_ns && time_ns < to_ns; };
  Aggregate sum;
  std::vector<const Entry*> counted;
  for (const Entry& entry : entries_) {
    if (is_in(entry.trade.event_time_ns) && !entry.is_cancelled) counted.push_back(&entry);
    for (const Touch& touch : entry.touches) {
      if (!is_in(touch.time_ns)) continue;
      sum.first_offset = std::min(sum.first_offset, touch.offset);
      sum.last_offset = std::max(sum.last_offset, touch.offset);
    }
  }
  std::ranges::stable_sort(counted, {}, &Entry::numbering);
  for (const Entry* before = nullptr; const Entry* entry : counted) {
    Trade trade = entry->trade;
    trade.id = TradeIdView::parse(entry->id);
    sum.is_corrected |= entry->is_another();
    sum.add(trade, before != nullptr && before->numbering != entry->numbering ? Count::newer : Count::same);
    before = entry;
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

const TradeHistory::Entry* TradeHistory::known(std::string_view id) const {
  const auto [first, last] = by_id_.equal_range(std::string(id));
  const auto newest = std::max_element(first, last, [](const auto& a, const auto& b) { return a.second < b.second; });
  return newest == last ? nullptr : &entries_[newest->second];
}

/// The trade of this id, unless it was cancelled.
TradeHistory::Entry* TradeHistory::standing(std::string_view id) {
  const Entry* entry = known(id);
  return entry == nullptr || entry->is_cancelled ? nullptr
                                                 : &entries_[static_cast<std::size_t>(entry - entries_.data())];
}

}  // namespace livetape::kernel
