#include "quote_queue.hpp"

#include <algorithm>
#include <tuple>

namespace livetape::kernel {
namespace {

bool is_before(const Quote& a, const Quote& b) noexcept {
  return std::tie(a.event_time_ns, a.sequence, a.offset) < std::tie(b.event_time_ns, b.sequence, b.offset);
}

}  // namespace

void QuoteQueue::insert(const Quote& quote) {
  if (first_ == quotes_.size() || !is_before(quote, quotes_.back())) return quotes_.push_back(quote);
  const auto kept = quotes_.begin() + static_cast<std::ptrdiff_t>(first_);
  quotes_.insert(std::upper_bound(kept, quotes_.end(), quote, is_before), quote);
}

const Quote* QuoteQueue::behind(std::int64_t time_ns) const noexcept {
  return std::upper_bound(quotes_.data() + first_, quotes_.data() + quotes_.size(), time_ns,
                          [](std::int64_t time, const Quote& quote) { return time < quote.event_time_ns; });
}

std::size_t QuoteQueue::drop_before(std::int64_t time_ns, std::int64_t appended_ms) {
  const auto is_old = [&](const Quote& quote) {
    return quote.event_time_ns < time_ns || quote.appended_ms < appended_ms;
  };
  const std::size_t before = first_;
  while (first_ < quotes_.size() && is_old(quotes_[first_])) ++first_;
  const std::size_t dropped = first_ - before;
  if (2 * first_ >= quotes_.size()) {  // each quote is moved once at the most for each one that is forgotten
    quotes_.erase(quotes_.begin(), quotes_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  return dropped;
}

}  // namespace livetape::kernel
