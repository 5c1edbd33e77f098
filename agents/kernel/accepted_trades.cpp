#include "accepted_trades.hpp"

#include <functional>

#include "venue.hpp"

namespace livetape::kernel {
namespace {

AcceptedTrade accepted(const Trade& trade) {
  return {trade.price,  trade.size,        trade.event_time_ns, trade.order,
          trade.offset, TradeId(trade.id), trade.aggressor,     trade.counts_for};
}

}  // namespace

void AcceptedTrades::add(const Series& series, const Trade& trade) {
  const Window window{&series, floor_to(trade.event_time_ns, base_length_ns_)};
  batch(window).trades.push_back(accepted(trade));
}

void AcceptedTrades::replace(const Series& series, std::int64_t start_ns, const TradeHistory& history) {
  TradeBatch& whole = batch({&series, start_ns});
  whole.is_whole = true;
  whole.trades.clear();
  for (const Trade& trade : history.trades(start_ns, start_ns + base_length_ns_)) {
    whole.trades.push_back(accepted(trade));
  }
}

std::vector<std::shared_ptr<const TradeBatch>> AcceptedTrades::take() {
  std::vector<std::shared_ptr<const TradeBatch>> taken(batches_.begin(), batches_.end());
  batches_.clear();
  by_window_.clear();
  last_batch_ = nullptr;
  return taken;
}

TradeBatch& AcceptedTrades::batch(const Window& window) {
  if (last_batch_ != nullptr && window == last_) return *last_batch_;
  TradeBatch*& found = by_window_[window];
  if (found == nullptr) {
    batches_.push_back(std::make_shared<TradeBatch>(
        TradeBatch{window.series->home.name, window.series->instrument, window.start_ns, false, {}}));
    found = batches_.back().get();
  }
  last_ = window;
  last_batch_ = found;
  return *found;
}

std::size_t AcceptedTrades::WindowHash::operator()(const Window& window) const noexcept {
  constexpr std::size_t kGoldenRatio = 0x9E3779B97F4A7C15;
  return std::hash<const Series*>{}(window.series) ^ (static_cast<std::size_t>(window.start_ns) * kGoldenRatio);
}

PublishedBar published_bar(const Series& series, std::size_t level, const Bar& bar) {
  return {series.home.name,    series.instrument,   level, bar.start_ns, bar.revision, bar.seq,
          bar.sum.trade_count, bar.sum.first_offset};
}

EvictedBar evicted_bar(const Series& series, std::size_t level, std::int64_t start_ns) {
  return {series.home.name, series.instrument, level, start_ns};
}

}  // namespace livetape::kernel
