#pragma once

#include <algorithm>
#include <cstdint>
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
#include "sorted_queue.hpp"

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
    if (newest_.last != id - 1) return false;
    newest_.last = id;
    return true;
  }
  /// Adds an id that is not in the set; returns the index of the first range that changed.
  std::size_t insert(std::int64_t id);
  [[nodiscard]] std::size_t size() const noexcept { return older_.size() + (has_newest_ ? 1 : 0); }
  [[nodiscard]] const Range& operator[](std::size_t place) const noexcept {
    return place < older_.size() ? older_[place] : newest_;
  }
  /// Adds a range behind those that are there.
  void append(const Range& range);

 private:
  static constexpr std::int64_t kNoId = -2;  // which no id follows

  // Ascending, never touching. The newest is beside what a trade looks at anyway, and most often the only one.
  Range newest_{kNoId, kNoId};
  bool has_newest_ = false;
  std::vector<Range> older_;
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
  // For each kind: the first chunk that differs from the changelog, and how many the changelog has.
  std::uint32_t dirty_from[2] = {kClean, kClean};
  std::uint32_t logged_chunks[2] = {0, 0};
  std::unique_ptr<Hashes> hashes;  // none as long as all ids are numbers: there are many buckets

  [[nodiscard]] std::span<const IdHash> all_hashes() const noexcept;
  void insert(const IdHash& hash);
  [[nodiscard]] bool contains(const TradeIdView& id) const;
  [[nodiscard]] std::uint32_t chunks(IdKind kind) const noexcept;
};

/// All ids of one instrument: runs where its venue numbers its trades without a hole, buckets of time elsewhere.
class TradeIds {
 public:
  explicit TradeIds(bool are_contiguous) : are_contiguous_(are_contiguous) {}

  [[nodiscard]] bool are_contiguous() const noexcept { return are_contiguous_; }
  /// Whether a trade of this id came, whenever it was.
  [[nodiscard]] bool contains(const TradeIdView& id) const;
  /// Whether the trade of this id and time came: a venue that begins to count anew has ids again.
  [[nodiscard]] bool contains(const TradeIdView& id, std::int64_t event_time_ns) const;
  /// Adds a number that follows the newest one, in the newest bucket where there are buckets; false where it does not.
  [[gnu::always_inline]] bool insert_next(std::int64_t number, std::int64_t event_time_ns) {
    if (number <= newest_number_) return false;
    if (are_contiguous_) return runs.insert_next(number, event_time_ns);
    if (!runs.runs().empty() || !has_newest_) return false;
    const std::int64_t since_ns = event_time_ns - newest_.start_ns;
    if (since_ns < 0 || since_ns >= IdBucket::kLengthNs || !newest_.numbers.insert_next(number)) return false;
    newest_number_ = number;
    const bool is_touched =
        newest_.dirty_from[static_cast<int>(IdKind::ranges)] == 0 && changed_from_ns_ <= newest_.start_ns;
    if (!is_touched) touch(newest_, IdKind::ranges, (newest_.numbers.size() - 1) / kRangesPerChunk);
    return true;
  }
  /// Adds an id that is not in the set; tells what it did to the gaps between the runs.
  IdRuns::Change insert(const TradeIdView& id, std::int64_t event_time_ns);

  /// Forgets an id that is in the set no sooner than one of this time.
  void keep(const TradeIdView& id, std::int64_t event_time_ns);

  [[nodiscard]] bool has_buckets() const noexcept { return has_newest_; }
  /// The bucket that starts first, of those that there are.
  [[nodiscard]] const IdBucket& oldest() const noexcept { return older_.empty() ? newest_ : older_.front(); }
  void drop_oldest();
  /// Calls `visit` with each bucket that may differ from the changelog; from then on none does.
  template <typename Visit>
  void take_changed(Visit visit) {
    std::for_each(older_.from(changed_from_ns_), older_.end(), visit);
    if (has_newest_ && newest_.start_ns >= changed_from_ns_) visit(newest_);
    changed_from_ns_ = kUnchanged;
  }
  /// The bucket that starts there, made when it is missing.
  IdBucket& bucket(std::int64_t start_ns);
  /// The bucket that has the id; null when none has.
  [[nodiscard]] const IdBucket* bucket_of(const TradeIdView& id) const;
  void prefetch_buckets() const noexcept { older_.prefetch_ends(); }
  void prefetch_newest() const noexcept { runs.prefetch_last(); }
  /// Adds a chunk of a bucket as the changelog has it; the chunks of a bucket come in their order.
  void restore_ranges(std::int64_t bucket_ns, std::size_t chunk, const std::vector<IdRanges::Range>& part);
  void restore_hashes(std::int64_t bucket_ns, std::size_t chunk, const std::vector<IdHash>& part);
  /// Adds a chunk of the runs as the changelog has it; they come in their order.
  void restore_runs(std::size_t chunk, const std::vector<IdRuns::Run>& part);
  /// To be called once all buckets are restored.
  void find_newest();

  IdRuns runs;
  std::size_t logged_run_chunks = 0;

 private:
  static constexpr std::int64_t kUnchanged = std::numeric_limits<std::int64_t>::max();

  [[nodiscard]] bool is_in_bucket(const TradeIdView& id) const;
  void insert_into(IdBucket& found, const TradeIdView& id);
  void touch(IdBucket& changed, IdKind kind, std::size_t chunk) noexcept {
    std::uint32_t& dirty = changed.dirty_from[static_cast<int>(kind)];
    dirty = std::min(dirty, static_cast<std::uint32_t>(chunk));
    changed_from_ns_ = std::min(changed_from_ns_, changed.start_ns);
  }

  // What a trade looks at is side by side, and what it does not is last.
  bool are_contiguous_;
  bool has_newest_ = false;
  std::int64_t newest_number_ = -1;
  std::int64_t changed_from_ns_ = kUnchanged;  // buckets before it are as the changelog has them
  IdBucket newest_;                            // nearly all trades are of it
  SortedQueue<IdBucket> older_;
};

}  // namespace livetape::kernel
