#include "trade_ids.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "window.hpp"

namespace livetape::kernel {

bool IdRanges::contains(std::int64_t id) const {
  if (has_newest_ && id >= newest_.first) return id <= newest_.last;
  const auto after = std::ranges::upper_bound(older_, id, {}, &Range::first);
  return after != older_.begin() && std::prev(after)->last >= id;
}

std::size_t IdRanges::insert(std::int64_t id) {
  if (insert_next(id)) return older_.size();
  if (id > newest_.last) {
    append({id, id});
    return older_.size();
  }
  const auto after = std::ranges::upper_bound(older_, id, {}, &Range::first);
  const auto index = static_cast<std::size_t>(after - older_.begin());
  Range& next = after == older_.end() ? newest_ : *after;
  const bool touches_before = index > 0 && std::prev(after)->last == id - 1;
  const bool touches_after = next.first - 1 == id;
  if (touches_before && touches_after) {
    next.first = std::prev(after)->first;
    older_.erase(std::prev(after));
  } else if (touches_before) {
    std::prev(after)->last = id;
  } else if (touches_after) {
    next.first = id;
  } else {
    older_.insert(after, {id, id});
  }
  return index - (touches_before ? 1 : 0);
}

void IdRanges::append(const Range& range) {
  if (std::exchange(has_newest_, true)) older_.push_back(newest_);
  newest_ = range;
}

IdHash IdHash::of(std::string_view id) noexcept {
  const XXH128_hash_t hash = XXH3_128bits(id.data(), id.size());
  return {hash.high64, hash.low64};
}

std::span<const IdHash> IdBucket::all_hashes() const noexcept {
  return hashes == nullptr ? std::span<const IdHash>() : hashes->all;
}

void IdBucket::insert(const IdHash& hash) {
  if (hashes == nullptr) hashes = std::make_unique<Hashes>();
  hashes->all.push_back(hash);
  hashes->index.insert(hash);
}

bool IdBucket::contains(const TradeIdView& id) const {
  return id.is_number() ? numbers.contains(id.number)
                        : hashes != nullptr && hashes->index.contains(IdHash::of(id.text));
}

std::uint32_t IdBucket::chunks(IdKind kind) const noexcept {
  const std::size_t chunks = kind == IdKind::ranges ? (numbers.size() + kRangesPerChunk - 1) / kRangesPerChunk
                                                    : (all_hashes().size() + kHashesPerChunk - 1) / kHashesPerChunk;
  return static_cast<std::uint32_t>(chunks);
}

bool TradeIds::contains(const TradeIdView& id) const {
  return (id.is_number() && runs.contains(id.number)) || is_in_bucket(id);
}

bool TradeIds::contains(const TradeIdView& id, std::int64_t event_time_ns) const {
  return (id.is_number() && runs.contains(id.number, event_time_ns)) || is_in_bucket(id);
}

bool TradeIds::is_in_bucket(const TradeIdView& id) const {
  return (!id.is_number() || id.number <= newest_number_) && bucket_of(id) != nullptr;
}

const IdBucket* TradeIds::bucket_of(const TradeIdView& id) const {
  const IdHash hash = id.is_number() ? IdHash{} : IdHash::of(id.text);
  const auto has_id = [&](const IdBucket& bucket) {
    return id.is_number() ? bucket.numbers.contains(id.number)
                          : bucket.hashes != nullptr && bucket.hashes->index.contains(hash);
  };
  const IdBucket* const found = std::ranges::find_if(older_, has_id);
  if (found != older_.end()) return found;
  return has_id(newest_) ? &newest_ : nullptr;
}

IdRuns::Change TradeIds::insert(const TradeIdView& id, std::int64_t event_time_ns) {
  if (are_contiguous_ && id.is_number()) return runs.insert(id.number, event_time_ns);
  insert_into(bucket(floor_to(event_time_ns, IdBucket::kLengthNs)), id);
  return {};
}

void TradeIds::keep(const TradeIdView& id, std::int64_t event_time_ns) {
  if (id.is_number() && runs.keep(id.number, event_time_ns)) return;
  IdBucket& kept = bucket(floor_to(event_time_ns, IdBucket::kLengthNs));
  if (!kept.contains(id)) insert_into(kept, id);
}

void TradeIds::insert_into(IdBucket& found, const TradeIdView& id) {
  if (id.is_number()) {
    newest_number_ = std::max(newest_number_, id.number);
    touch(found, IdKind::ranges, found.numbers.insert(id.number) / kRangesPerChunk);
  } else {
    touch(found, IdKind::hashes, found.all_hashes().size() / kHashesPerChunk);
    found.insert(IdHash::of(id.text));
  }
}

IdBucket& TradeIds::bucket(std::int64_t start_ns) {
  if (has_newest_ && newest_.start_ns == start_ns) return newest_;
  IdBucket made;
  made.start_ns = start_ns;
  if (!has_newest_ || newest_.start_ns < start_ns) {
    if (std::exchange(has_newest_, true)) older_.append(std::move(newest_));
    newest_ = std::move(made);
    return newest_;
  }
  IdBucket* const at = older_.from(start_ns);
  if (at != older_.end() && at->start_ns == start_ns) return *at;
  return older_.insert(std::move(made));
}

void TradeIds::drop_oldest() {
  if (!older_.empty()) return older_.pop_front();
  newest_ = {};
  has_newest_ = false;
}

void TradeIds::restore_ranges(std::int64_t bucket_ns, std::size_t chunk, const std::vector<IdRanges::Range>& part) {
  IdBucket& found = bucket(bucket_ns);
  for (const IdRanges::Range& range : part) found.numbers.append(range);
  found.logged_chunks[static_cast<std::size_t>(IdKind::ranges)] = static_cast<std::uint32_t>(chunk + 1);
}

void TradeIds::restore_hashes(std::int64_t bucket_ns, std::size_t chunk, const std::vector<IdHash>& part) {
  IdBucket& found = bucket(bucket_ns);
  for (const IdHash& hash : part) found.insert(hash);
  found.logged_chunks[static_cast<std::size_t>(IdKind::hashes)] = static_cast<std::uint32_t>(chunk + 1);
}

void TradeIds::restore_runs(std::size_t chunk, const std::vector<IdRuns::Run>& part) {
  std::vector<IdRuns::Run> all = runs.runs();
  all.insert(all.end(), part.begin(), part.end());
  runs.restore(std::move(all));
  logged_run_chunks = chunk + 1;
}

void TradeIds::find_newest() {
  newest_number_ = -1;
  const auto look_at = [&](const IdBucket& bucket) {
    const IdRanges& numbers = bucket.numbers;
    if (numbers.size() > 0) newest_number_ = std::max(newest_number_, numbers[numbers.size() - 1].last);
  };
  std::ranges::for_each(older_, look_at);
  look_at(newest_);
}

}  // namespace livetape::kernel
