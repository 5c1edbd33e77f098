#include "level_bars.hpp"

#include <algorithm>
#include <utility>

namespace livetape::kernel {
namespace {

std::int64_t start_of(const Bar* bar) noexcept { return bar->start_ns; }

}  // namespace

std::vector<Bar*>::const_iterator LevelBars::position(std::int64_t start_ns) const {
  const auto from = bars_.begin() + static_cast<std::ptrdiff_t>(first_);
  return std::ranges::lower_bound(from, bars_.end(), start_ns, {}, start_of);
}

Bar* LevelBars::find(std::int64_t start_ns) const {
  if (empty() || bars_.back()->start_ns < start_ns) return nullptr;
  if (bars_.back()->start_ns == start_ns) return bars_.back();
  const auto at = position(start_ns);
  return at != bars_.end() && (*at)->start_ns == start_ns ? *at : nullptr;
}

Bar& LevelBars::make(std::int64_t start_ns, bool is_final) {
  Bar& bar = pool_->take();
  bar.start_ns = start_ns;
  bar.is_final = is_final;
  const bool is_newest = empty() || bars_.back()->start_ns < start_ns;
  bars_.insert(is_newest ? bars_.cend() : position(start_ns), &bar);
  forming_ += is_final ? 1 : 0;
  return bar;
}

Bar& LevelBars::finalise_first() {
  Bar& bar = *bars_[forming_++];
  bar.is_final = true;
  return bar;
}

void LevelBars::pop_front() {
  constexpr std::size_t kWorthMoving = 64;
  ++first_;
  if (first_ < kWorthMoving || first_ * 2 < bars_.size()) return;
  bars_.erase(bars_.begin(), bars_.begin() + static_cast<std::ptrdiff_t>(first_));
  forming_ -= first_;
  first_ = 0;
}

LevelBars::Bars LevelBars::part(Bars bars, std::int64_t from_ns, std::int64_t to_ns) {
  const auto from = std::ranges::lower_bound(bars, from_ns, {}, start_of);
  const auto to = std::ranges::lower_bound(from, bars.end(), to_ns, {}, start_of);
  return {from, to};
}

void LevelBars::restore(Bar bar) {
  Bar* at = find(bar.start_ns);
  if (at == nullptr) {
    at = &pool_->take();
    const bool is_newest = empty() || bars_.back()->start_ns < bar.start_ns;
    bars_.insert(is_newest ? bars_.cend() : position(bar.start_ns), at);
  }
  *at = std::move(bar);
}

void LevelBars::restore_without(std::int64_t start_ns) {
  Bar* const bar = find(start_ns);
  if (bar == nullptr) return;
  bars_.erase(position(start_ns));
  pool_->give_back(*bar);
}

void LevelBars::restore_forming() {
  const auto from = std::ranges::find(bars_, false, &Bar::is_final);
  forming_ = static_cast<std::size_t>(from - bars_.begin());
}

}  // namespace livetape::kernel
