#pragma once

#include <algorithm>
#include <chrono>

namespace livetape::bridge {

/// How long until a venue's whole list is read again for what it did not have: an instrument may be listed soon, or
/// never where its name is wrong. Each answer without it makes the wait twice as long, up to an hour.
class ListPatience {
 public:
  static constexpr std::chrono::hours kLongest{1};

  /// `silence`: how long an instrument may be silent at first.
  explicit ListPatience(std::chrono::nanoseconds silence)
      : wait_(std::min<std::chrono::nanoseconds>(5 * silence, kLongest)) {}

  [[nodiscard]] std::chrono::nanoseconds wait() const noexcept { return wait_; }
  /// It was read.
  void grow() noexcept { wait_ = std::min<std::chrono::nanoseconds>(2 * wait_, kLongest); }

 private:
  std::chrono::nanoseconds wait_;
};

}  // namespace livetape::bridge
