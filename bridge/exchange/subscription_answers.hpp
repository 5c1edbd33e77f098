#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace livetape::bridge {

/// When the subscriptions of a connection work: once the venue has answered each message that made some, or has not for
/// so long that it is not waited for. Times are steady nanoseconds.
class SubscriptionAnswers {
 public:
  /// Another connection, of which so many answers are waited for.
  void begin(std::size_t messages) noexcept {
    left_ = messages;
    sent_ns_.reset();
  }
  /// The messages were sent.
  void sent(std::int64_t steady_ns) noexcept { sent_ns_ = steady_ns; }
  /// One message more was sent.
  void sent_another(std::int64_t steady_ns) noexcept {
    ++left_;
    sent(steady_ns);
  }
  /// The venue took what a message asked for, or refused it.
  void take() noexcept {
    if (left_ > 0) --left_;
  }
  /// Whether they work now; once for what was sent.
  [[nodiscard]] bool settle(std::int64_t steady_ns) noexcept {
    if (!sent_ns_ || (left_ > 0 && steady_ns - *sent_ns_ < kLongestNs)) return false;
    begin(0);
    return true;
  }

 private:
  static constexpr std::int64_t kLongestNs = 60'000'000'000;

  std::size_t left_ = 0;
  std::optional<std::int64_t> sent_ns_;  // nothing once they work
};

}  // namespace livetape::bridge
