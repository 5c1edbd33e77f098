#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "bar.hpp"
#include "id_runs.hpp"
#include "prefetch.hpp"

/// Which trades of an instrument were counted already, kept for as long as one of them could be accepted again.
namespace livetape::kernel {

/// A set of ids as ranges: contiguous ids cost nothing more, however many they are.
class IdRanges {
 public:
  struct Range {
    std::int64_t first;
    std::int64_t last;
  };

  [[nodiscard]] bool contains(std::int64_t id) const;
  /// Adds an id that follows the last one; false where it does not.
  [[gnu::always_inline]] bool insert_next(std::int64_t id) {
    if (ranges_.empty() || ranges_.back().last != id - 1) return false;
    ranges_.back().last = id;
    return true;
  }
  /// Adds an id that is not in the set; returns the index of the first range that changed.
  std::size_t insert(std::int64_t id);
  [[nodiscard]] const std::vector<Range>& ranges() const noexcept { return ranges_; }
  void restore(std::vector<Range> ranges) { ranges_ = std::move(ranges); }
  void prefetch_last() const noexcept {
    if (!ranges_.empty()) prefetch_object(&ranges_.back());
  }

 private:
  std::vector<Range> ranges_;  // ascending, never touching
};

/// 128-bit hash of an id that is no number. Two of a billion ids share one with a chance of about 10^-21.
struct IdHash {
  std::uint64_t high;
  std::uint64_t low;
  static IdHash of(std::string_view id) noexcept;
  friend bool operator==(const IdHash&, const IdHash&) noexcept = default;
  struct Bucket {
    std::size_t operator()(const IdHash& hash) const noexcept { return hash.low; }
  };
};

/// What one chunk of ids in the changelog holds.
enum class IdKind : std::uint8_t { ranges = 0, hashes = 1, runs = 2 };

/// Chunks stay well below 256 KiB: 20 bytes a range at the most, 16 a hash, 50 a run.
inline constexpr std::size_t kRangesPerChunk = 10'000;
inline constexpr std::size_t kRunsPerChunk = 5'000;
inline constexpr std::size_t kHashesPerChunk = 12'000;

/// The ids of the trades whose event time is in one bucket of time.
struct IdBucket {
  static constexpr std::int64_t kLengthNs = 60'000'000'000;
  static constexpr std::uint32_t kClean = std::numeric_limits<std::uint32_t>::max();

  struct Hashes {
    std::vector<IdHash> all;  // in the order they came, so that only the last chunk ever changes
    std::unordered_set<IdHash, IdHash::Bucket> index;
  };

  std::int64_t start_ns = 0;
  IdRanges numbers;
  std::unique_ptr<Hashes> hashes;  // none as long as all ids are numbers: there are many buckets
  // For each kind: the first chunk that differs from the changelog, and how many the changelog has.
  std::uint32_t dirty_from[2] = {kClean, kClean};
  std::uint32_t logged_chunks[2] = {0, 0};

  [[nodiscard]] std::span<const IdHash> all_hashes() const noexcept;
  void insert(const IdHash& hash);
  [[nodiscard]] std::uint32_t chunks(IdKind kind) const noexcept;
};

/// All ids of one instrument: runs where its venue numbers its trades without a hole, buckets of time elsewhere.
class TradeIds {
 public:
  explicit TradeIds(bool are_contiguous) : are_contiguous_(are_contiguous) {}

  [[nodiscard]] bool are_contiguous() const noexcept { return are_contiguous_; }
  [[nodiscard]] bool contains(const TradeIdView& id) const;
  /// Adds a number that follows the newest one, in the newest bucket where there are buckets; false where it does not.
  [[gnu::always_inline]] bool insert_next(std::int64_t number, std::int64_t event_time_ns) {
    if (number <= newest_number_) return false;
    if (are_contiguous_) return runs.insert_next(number, event_time_ns);
    if (!runs.runs().empty() || buckets_.empty()) return false;
    IdBucket& newest = buckets_.back();
    const std::int64_t since_ns = event_time_ns - newest.start_ns;
    if (since_ns < 0 || since_ns >= IdBucket::kLengthNs || !newest.numbers.insert_next(number)) return false;
    newest_number_ = number;
    touch(newest, IdKind::ranges, (newest.numbers.ranges().size() - 1) / kRangesPerChunk);
    return true;
  }
  /// Adds an id that is not in the set; tells what it did to the gaps between the runs.
  IdRuns::Change insert(const TradeIdView& id, std::int64_t event_time_ns);

  [[nodiscard]] std::deque<IdBucket>& buckets() noexcept { return buckets_; }
  /// Calls `visit` with each bucket that may differ from the changelog; from then on none does.
  template <typename Visit>
  void take_changed(Visit visit) {
    const auto from = std::ranges::lower_bound(buckets_, changed_from_ns_, {}, &IdBucket::start_ns);
    std::for_each(from, buckets_.end(), visit);
    changed_from_ns_ = kUnchanged;
  }
  [[nodiscard]] const std::deque<IdBucket>& buckets() const noexcept { return buckets_; }
  /// The bucket that starts there, made when it is missing.
  IdBucket& bucket(std::int64_t start_ns);
  /// The bucket that has the id; null when none has.
  [[nodiscard]] const IdBucket* bucket_of(const TradeIdView& id) const;
  void prefetch_bucket() const noexcept {
    if (!buckets_.empty()) prefetch_object(&buckets_.back());
  }
  void prefetch_oldest() const noexcept {
    if (!buckets_.empty()) prefetch_object(&buckets_.front());
  }
  void prefetch_numbers() const noexcept {
    runs.prefetch_last();
    if (!buckets_.empty()) buckets_.back().numbers.prefetch_last();
  }
  /// Adds a chunk of a bucket as the changelog has it; the chunks of a bucket come in their order.
  void restore_ranges(std::int64_t bucket_ns, std::size_t chunk, const std::vector<IdRanges::Range>& part);
  void restore_hashes(std::int64_t bucket_ns, std::size_t chunk, const std::vector<IdHash>& part);
  /// To be called once all buckets are restored.
  void find_newest();

  IdRuns runs;
  std::size_t logged_run_chunks = 0;

 private:
  static constexpr std::int64_t kUnchanged = std::numeric_limits<std::int64_t>::max();

  void touch(IdBucket& changed, IdKind kind, std::size_t chunk) noexcept {
    std::uint32_t& dirty = changed.dirty_from[static_cast<int>(kind)];
    dirty = std::min(dirty, static_cast<std::uint32_t>(chunk));
    changed_from_ns_ = std::min(changed_from_ns_, changed.start_ns);
  }

  bool are_contiguous_;
  std::deque<IdBucket> buckets_;               // by start
  std::int64_t changed_from_ns_ = kUnchanged;  // buckets before it are as the changelog has them
  std::int64_t newest_number_ = -1;
};

}  // namespace livetape::kernel
