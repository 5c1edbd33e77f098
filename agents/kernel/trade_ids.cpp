#include "trade_ids.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "window.hpp"

namespace livetape::kernel {

bool IdRanges::contains(std::int64_t id) const {
  const auto after = std::ranges::upper_bound(ranges_, id, {}, &Range::first);
  return after != ranges_.begin() && std::prev(after)->last >= id;
}

std::size_t IdRanges::insert(std::int64_t id) {
  if (insert_next(id)) return ranges_.size() - 1;
  auto after = std::ranges::upper_bound(ranges_, id, {}, &Range::first);
  const auto index = after - ranges_.begin();
  const bool touches_before = index > 0 && std::prev(after)->last == id - 1;
  const bool touches_after = after != ranges_.end() && after->first - 1 == id;
  if (touches_before && touches_after) {
    std::prev(after)->last = after->last;
    ranges_.erase(after);
  } else if (touches_before) {
    std::prev(after)->last = id;
  } else if (touches_after) {
    after->first = id;
  } else {
    ranges_.insert(after, {id, id});
  }
  return static_cast<std::size_t>(index - (touches_before ? 1 : 0));
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

std::uint32_t IdBucket::chunks(IdKind kind) const noexcept {
  const std::size_t chunks = kind == IdKind::ranges ? (numbers.ranges().size() + kRangesPerChunk - 1) / kRangesPerChunk
                                                    : (all_hashes().size() + kHashesPerChunk - 1) / kHashesPerChunk;
  return static_cast<std::uint32_t>(chunks);
}

bool TradeIds::contains(const TradeIdView& id) const {
  if (id.is_number() && runs.contains(id.number)) return true;
  if (id.is_number() && id.number > newest_number_) return false;
  return bucket_of(id) != nullptr;
}

const IdBucket* TradeIds::bucket_of(const TradeIdView& id) const {
  const IdHash hash = id.is_number() ? IdHash{} : IdHash::of(id.text);
  const auto found = std::ranges::find_if(buckets_, [&](const IdBucket& bucket) {
    return id.is_number() ? bucket.numbers.contains(id.number)
                          : bucket.hashes != nullptr && bucket.hashes->index.contains(hash);
  });
  return found == buckets_.end() ? nullptr : &*found;
}

IdRuns::Change TradeIds::insert(const TradeIdView& id, std::int64_t event_time_ns) {
  if (are_contiguous_ && id.is_number()) return runs.insert(id.number, event_time_ns);
  IdBucket& found = bucket(floor_to(event_time_ns, IdBucket::kLengthNs));
  if (id.is_number()) {
    newest_number_ = std::max(newest_number_, id.number);
    touch(found, IdKind::ranges, found.numbers.insert(id.number) / kRangesPerChunk);
  } else {
    touch(found, IdKind::hashes, found.all_hashes().size() / kHashesPerChunk);
    found.insert(IdHash::of(id.text));
  }
  return {};
}

IdBucket& TradeIds::bucket(std::int64_t start_ns) {
  if (!buckets_.empty() && buckets_.back().start_ns == start_ns) return buckets_.back();
  const auto at = std::ranges::lower_bound(buckets_, start_ns, {}, &IdBucket::start_ns);
  if (at != buckets_.end() && at->start_ns == start_ns) return *at;
  IdBucket made;
  made.start_ns = start_ns;
  return *buckets_.insert(at, std::move(made));
}

void TradeIds::restore_ranges(std::int64_t bucket_ns, std::size_t chunk, const std::vector<IdRanges::Range>& part) {
  IdBucket& found = bucket(bucket_ns);
  std::vector<IdRanges::Range> all = found.numbers.ranges();
  all.insert(all.end(), part.begin(), part.end());
  found.numbers.restore(std::move(all));
  found.logged_chunks[static_cast<std::size_t>(IdKind::ranges)] = static_cast<std::uint32_t>(chunk + 1);
}

void TradeIds::restore_hashes(std::int64_t bucket_ns, std::size_t chunk, const std::vector<IdHash>& part) {
  IdBucket& found = bucket(bucket_ns);
  for (const IdHash& hash : part) found.insert(hash);
  found.logged_chunks[static_cast<std::size_t>(IdKind::hashes)] = static_cast<std::uint32_t>(chunk + 1);
}

void TradeIds::find_newest() {
  newest_number_ = -1;
  for (const IdBucket& bucket : buckets_) {
    const auto& ranges = bucket.numbers.ranges();
    if (!ranges.empty()) newest_number_ = std::max(newest_number_, ranges.back().last);
  }
}

}  // namespace livetape::kernel
