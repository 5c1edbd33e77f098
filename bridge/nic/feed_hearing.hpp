#pragma once

#include <cstdint>
#include <optional>

namespace livetape::bridge::mold {

/// What is heard of a feed.
enum class Hearing : std::uint8_t {
  silence,
  current,
  past,  // packets, but for seconds none that is as far as we are: its sender has begun again under the same name
};

/// Tells what is heard of a feed by how far its packets are. A line that lags brings some of the past for a moment.
class FeedHearing {
 public:
  static constexpr std::int64_t kSilenceNs = 5'000'000'000;  // senders say each second where they are
  static constexpr std::int64_t kPastNs = 3'000'000'000;

  /// A packet that ends before what was delivered is of the past.
  void see(bool is_past, std::int64_t now_ns) noexcept {
    if (!is_past) {
      current_ns_ = now_ns;
      past_since_ns_.reset();
    } else if (!past_since_ns_) {
      past_since_ns_ = now_ns;
    }
    is_past_ = past_since_ns_ && now_ns - *past_since_ns_ >= kPastNs;
  }
  [[nodiscard]] Hearing at(std::int64_t now_ns) const noexcept {
    if (current_ns_ && now_ns - *current_ns_ < kSilenceNs) return Hearing::current;
    return is_past_ ? Hearing::past : Hearing::silence;
  }
  /// Whether nothing that is current was heard for some heartbeats.
  [[nodiscard]] bool is_stale(std::int64_t now_ns) const noexcept {
    return current_ns_ && now_ns - *current_ns_ >= kPastNs;
  }

 private:
  std::optional<std::int64_t> current_ns_;     // when a packet came last that was not of the past
  std::optional<std::int64_t> past_since_ns_;  // and the first of the past behind it
  bool is_past_ = false;                       // and these went on for some time
};

}  // namespace livetape::bridge::mold
