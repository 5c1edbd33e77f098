#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bar.hpp"

namespace livetape::kernel {

/// An instrument's trades as a stretch of the log tells them, with the corrections in it carried out: what a bar, which
/// keeps sums alone, is summed up from again.
class TradeHistory {
 public:
  /// Takes the next trade of the log. Of several with one id the fold accepted one: the first, unless `settle` finds
  /// otherwise. Of a venue that began to count anew a number is an id once in each `numbering`, and names the last.
  void add(const Trade& trade, std::string_view id, std::size_t numbering);
  /// Whether the trades in [from_ns, to_ns) are those that a bar has summed up. A record may have been refused before
  /// another of its id was accepted: that one takes its place where this makes them so.
  bool settle(std::int64_t from_ns, std::int64_t to_ns, const Aggregate& known);
  /// Puts another in a trade's place, from now on known by both ids; false when there is no such trade. Its place in
  /// the venue's order is its own number's, or else the number's that the first had; where neither has one its time's,
  /// and among trades of that time where the first came.
  bool correct(std::string_view id, const Trade& by, std::string_view by_id, std::string identity);
  /// Takes a trade away; false when there is no such trade.
  bool cancel(std::string_view id, std::int64_t offset);

  /// Whether no two records that differ had one id, so that there was none to choose.
  [[nodiscard]] bool is_certain() const noexcept { return !has_others_; }
  /// Whether the correction of this identity was carried out.
  [[nodiscard]] bool has_correction(const std::string& identity) const { return identities_.contains(identity); }
  [[nodiscard]] bool is_cancelled(std::string_view id) const;
  /// Whether two ids name one trade of the stretch.
  [[nodiscard]] bool are_one(std::string_view id, std::string_view other_id) const;
  /// All ids of the trade that this one names, and the offsets of what corrected it: it takes both to find it again.
  [[nodiscard]] std::vector<std::string> ids(std::string_view id) const;
  [[nodiscard]] std::vector<std::int64_t> corrections(std::string_view id) const;
  /// When the trade of this id happened; nothing when the stretch does not have it.
  [[nodiscard]] std::optional<std::int64_t> time_of(std::string_view id) const;
  /// The sum of the trades in [from_ns, to_ns). Its offsets are those of all that made it what it is: trades that were
  /// cancelled or moved away by a correction are among them, so that they can be found again.
  [[nodiscard]] Aggregate sum(std::int64_t from_ns, std::int64_t to_ns) const;
  /// The trades in [from_ns, to_ns) that were not cancelled, in the order in which they first came; ids point in here.
  [[nodiscard]] std::vector<Trade> trades(std::int64_t from_ns, std::int64_t to_ns) const;

 private:
  /// A record of the log that said of a trade that it was at a time, or is there no more.
  struct Touch {
    std::int64_t time_ns;
    std::int64_t offset;
  };
  struct Entry {
    Trade trade;
    std::string id;
    std::vector<Touch> touches;
    std::size_t numbering;
    std::vector<std::string> other_ids{};
    std::vector<std::int64_t> corrections{};
    std::vector<Trade> others{};  // of its id, and not the same
    bool is_cancelled = false;

    /// Whether no correction was of it: after that another cannot be the one that was accepted.
    [[nodiscard]] bool is_as_it_came() const noexcept { return corrections.empty() && !is_cancelled; }
    /// Whether a correction has put another in the trade's place.
    [[nodiscard]] bool is_another() const noexcept { return touches.size() > 1 && !is_cancelled; }
    /// Puts one of the others in the trade's place.
    void swap_with(Trade& other);
  };
  /// Puts into [from_ns, to_ns) each trade that came there under the same id as well, as trades do that were refused
  /// for a wrong time and sent again; returns them with what stood in their places.
  std::vector<std::pair<Entry*, Trade*>> bring_in(std::int64_t from_ns, std::int64_t to_ns);
  [[nodiscard]] const Entry* known(std::string_view id) const;
  [[nodiscard]] Entry* standing(std::string_view id);

  std::vector<Entry> entries_;
  std::unordered_multimap<std::string, std::size_t> by_id_;
  std::unordered_set<std::string> identities_;  // of corrections
  bool has_others_ = false;
};

}  // namespace livetape::kernel
