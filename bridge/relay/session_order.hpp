#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace livetape::bridge {

/// Puts one session's messages into the order of their numbers: which comes next, what came before its turn, and what
/// must be asked for.
class SessionOrder {
 public:
  struct Held {
    std::vector<std::uint8_t> bytes;
    std::size_t key_size = 0;
    [[nodiscard]] std::string_view key() const { return {reinterpret_cast<const char*>(bytes.data()), key_size}; }
    [[nodiscard]] std::span<const std::uint8_t> value() const { return std::span(bytes).subspan(key_size); }
  };

  /// `first`: the number that comes next; `most`: how many messages may wait for their turn.
  SessionOrder(std::uint64_t first, std::size_t most) : next_(first), most_(most), known_last_(first - 1) {}

  /// Takes a message; false when it was there before. Of more than may wait, the last are left out, to be asked for
  /// when their turn comes. `produce` writes the message that comes next, or says that there is no room for it now.
  template <typename Produce>
  bool take(std::uint64_t sequence, std::string_view key, std::span<const std::uint8_t> value, Produce produce) {
    if (sequence < next_ || held_.contains(sequence)) return false;
    known_last_ = std::max(known_last_, sequence);
    if (sequence == next_ && produce(sequence, key, value)) {
      ++next_;
    } else if (held_.size() < most_ || sequence < held_.rbegin()->first) {
      if (held_.size() == most_) held_.erase(std::prev(held_.end()));
      Held held{std::vector<std::uint8_t>(key.begin(), key.end()), key.size()};
      held.bytes.insert(held.bytes.end(), value.begin(), value.end());
      held_.emplace(sequence, std::move(held));
    }
    return true;
  }

  /// Writes what waits and has its turn.
  template <typename Produce>
  void advance(Produce produce) {
    for (auto first = held_.begin(); first != held_.end() && first->first == next_; first = held_.erase(first)) {
      if (!produce(next_, first->second.key(), first->second.value())) return;
      ++next_;
    }
  }

  /// The session has messages up to this one.
  void knows(std::uint64_t last) noexcept { known_last_ = std::max(known_last_, last); }

  /// Another has written what comes before this number: none of it has a turn any more.
  void skip_to(std::uint64_t first) {
    held_.erase(held_.begin(), held_.lower_bound(first));
    next_ = std::max(next_, first);
    known_last_ = std::max(known_last_, next_ - 1);
  }

  /// Nobody tells of its numbers any more: what waits is all that is left of it.
  void end_with_held() noexcept {
    if (!held_.empty()) next_ = std::max(next_, held_.begin()->first);
    known_last_ = held_.empty() ? next_ - 1 : held_.rbegin()->first;
  }

  /// Numbers to ask for, first and last, when it is the turn of one that did not come.
  [[nodiscard]] std::optional<std::pair<std::uint64_t, std::uint64_t>> missing() const {
    if (is_complete() || held_.contains(next_)) return std::nullopt;
    return std::pair(next_, held_.empty() ? known_last_ : held_.begin()->first - 1);
  }

  /// Nobody has the numbers up to this one that did not come; how many there are until the next that did.
  std::uint64_t give_up(std::uint64_t through) noexcept {
    const std::uint64_t end = std::min(through, held_.empty() ? through : held_.begin()->first - 1);
    const std::uint64_t count = end >= next_ ? end - next_ + 1 : 0;
    next_ += count;
    return count;
  }

  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }
  [[nodiscard]] bool is_complete() const noexcept { return next_ > known_last_; }

 private:
  std::uint64_t next_;
  std::size_t most_;
  std::uint64_t known_last_;
  std::map<std::uint64_t, Held> held_;
};

}  // namespace livetape::bridge
