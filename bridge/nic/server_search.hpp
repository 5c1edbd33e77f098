#pragma once

#include <algorithm>
#include <cstdint>

namespace livetape::bridge::mold {

/// Looks for the first message that a re-request server has behind one that it lacks: at twice the distance each time
/// until one is answered, and then by halves. That is one question where a single message is lacking, and a few dozen
/// at most, however much is missing, where the server keeps the newest alone, or is gone.
class ServerSearch {
 public:
  /// Looks before `end`, which is behind `lacked`.
  ServerSearch(std::uint64_t lacked, std::uint64_t end) noexcept : begin_(lacked), lacked_(lacked), had_(end) {}

  /// The message that was known to be lacking when the search began.
  [[nodiscard]] std::uint64_t begin() const noexcept { return begin_; }
  [[nodiscard]] bool is_over() const noexcept { return lacked_ + 1 == had_; }
  /// The message to ask for, while the search is not over.
  [[nodiscard]] std::uint64_t probe() const noexcept { return std::min(lacked_ + step_, had_ - 1); }
  /// Whether the server has the message that was asked for.
  void take(bool has) noexcept {
    (has ? had_ : lacked_) = probe();
    is_bounded_ = is_bounded_ || has;
    step_ = is_bounded_ ? (had_ - lacked_) / 2 : 2 * step_;
  }
  /// Once the search is over: the first message that the server has, or the end.
  [[nodiscard]] std::uint64_t found() const noexcept { return had_; }

 private:
  std::uint64_t begin_;
  std::uint64_t lacked_;  // and all from the beginning on, as it seems
  std::uint64_t had_;     // and all behind it
  std::uint64_t step_ = 1;
  bool is_bounded_ = false;  // by an answer
};

}  // namespace livetape::bridge::mold
