#include "exchange/contiguous_ids.hpp"

#include <algorithm>
#include <utility>

namespace livetape::bridge {

Verdict ContiguousIds::take(std::int64_t id, std::int64_t time_ns, std::int64_t count) {
  const std::int64_t first = id - count + 1;
  if (counts_anew(id, time_ns)) begin_anew();
  if (newest_ && first <= *newest_) return fill(first, id, time_ns);
  if (!newest_) {
    oldest_ = first;
    oldest_time_ns_ = time_ns;
  }
  const bool is_next = !newest_ || first == *newest_ + 1;
  if (!is_next) {
    missing_.push_back({*newest_ + 1, first - 1, newest_time_ns_, time_ns});
    join_closest();
  }
  newest_ = id;
  newest_time_ns_ = time_ns;
  return is_next ? Verdict::fresh : Verdict::after_gap;
}

void ContiguousIds::begin_anew() {
  ContiguousIds anew;
  anew.new_counts_ = new_counts_ + 1;
  *this = std::move(anew);
}

void ContiguousIds::reach_back(std::int64_t first, std::int64_t from_time_ns) {
  if (!newest_ || first >= oldest_) return;
  missing_.insert(missing_.begin(), {first, oldest_ - 1, from_time_ns, oldest_time_ns_});
  oldest_ = first;
  oldest_time_ns_ = from_time_ns;
  join_closest();
}

Verdict ContiguousIds::fill(std::int64_t first, std::int64_t last, std::int64_t time_ns) {
  const auto range = std::ranges::lower_bound(missing_, last, {}, &MissingIds::last);
  if (range == missing_.end() || first < range->first) return Verdict::duplicate;
  if (first == oldest_) oldest_time_ns_ = time_ns;
  const MissingIds before{range->first, first - 1, range->from_time_ns, time_ns};
  const MissingIds behind{last + 1, range->last, time_ns, range->to_time_ns};
  if (before.first > before.last && behind.first > behind.last) {
    missing_.erase(range);
  } else if (before.first > before.last) {
    *range = behind;
  } else {
    *range = before;
    if (behind.first <= behind.last) missing_.insert(range + 1, behind);
    join_closest();
  }
  return Verdict::fresh;
}

void ContiguousIds::join_closest() {
  if (missing_.size() <= kMaxRanges) return;
  auto closest = missing_.begin();
  for (auto range = missing_.begin(); range + 1 != missing_.end(); ++range) {
    if (range[1].first - range->last < closest[1].first - closest->last) closest = range;
  }
  closest->last = closest[1].last;
  closest->to_time_ns = closest[1].to_time_ns;
  missing_.erase(closest + 1);
}

std::optional<MissingIds> ContiguousIds::give_up(std::int64_t first) {
  const auto range = std::ranges::find(missing_, first, &MissingIds::first);
  if (range == missing_.end()) return std::nullopt;
  const MissingIds given_up = *range;
  missing_.erase(range);
  return given_up;
}

}  // namespace livetape::bridge
