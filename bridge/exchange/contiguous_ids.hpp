#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace livetape::bridge {

/// What a trade is to the trades that came before it.
enum class Verdict : std::uint8_t {
  fresh,      // the next one, or one that was missing
  duplicate,  // it came before
  after_gap,  // fresh, and there are trades missing before it
};

/// Consecutive trades that did not come.
struct MissingIds {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t from_time_ns = 0;  // event time of the trade before
  std::int64_t to_time_ns = 0;    // of the trade behind
  bool operator==(const MissingIds&) const = default;
};

/// Which trades of an instrument came, where the venue numbers them without a hole. Memory is bounded: of more holes
/// than `kMaxRanges` those that are closest become one, and the trades between them count as missing, to be had twice.
class ContiguousIds {
 public:
  static constexpr std::size_t kMaxRanges = 1'024;
  /// A trade that is so much newer than the newest, and has a lower id, is of a venue that has begun to count anew.
  static constexpr std::int64_t kCountedAnewNs = 60'000'000'000;

  /// A trade that counts anew begins the ids anew: what is missing of the former count is forgotten. One may stand for
  /// `count` trades, whose last has this id. If any of those came it is a duplicate, and the others are missing still:
  /// they are to be had one by one.
  [[nodiscard]] Verdict take(std::int64_t id, std::int64_t time_ns, std::int64_t count = 1);

  /// Whether a trade is the first of a count that the venue has begun anew.
  [[nodiscard]] bool counts_anew(std::int64_t id, std::int64_t time_ns) const noexcept {
    return newest_ && id < *newest_ && time_ns - newest_time_ns_ > kCountedAnewNs;
  }
  /// How often that came. An answer that was asked for before tells nothing of the ids of now.
  [[nodiscard]] std::uint64_t new_counts() const noexcept { return new_counts_; }

  /// Trades from this one on are missing as well, before the first that came; the one before it was not later than
  /// then.
  void reach_back(std::int64_t first, std::int64_t from_time_ns);

  /// From which trade on they came or are missing. Nothing before the first.
  [[nodiscard]] std::optional<std::int64_t> oldest() const noexcept {
    return newest_ ? std::optional(oldest_) : std::nullopt;
  }
  /// Its event time; while it is missing, a time that it is not before. Of no meaning before the first.
  [[nodiscard]] std::int64_t oldest_time_ns() const noexcept { return oldest_time_ns_; }
  /// Nothing before the first trade.
  [[nodiscard]] std::optional<std::int64_t> newest() const noexcept { return newest_; }
  /// What is missing before the newest, in order.
  [[nodiscard]] const std::vector<MissingIds>& missing() const noexcept { return missing_; }
  /// Stops waiting for a range, by its first id. Nothing when it was filled meanwhile.
  std::optional<MissingIds> give_up(std::int64_t first);

 private:
  void begin_anew();
  Verdict fill(std::int64_t first, std::int64_t last, std::int64_t time_ns);
  void join_closest();

  std::int64_t oldest_ = 0;
  std::int64_t oldest_time_ns_ = 0;
  std::optional<std::int64_t> newest_;
  std::int64_t newest_time_ns_ = 0;
  std::vector<MissingIds> missing_;
  std::uint64_t new_counts_ = 0;
};

}  // namespace livetape::bridge
