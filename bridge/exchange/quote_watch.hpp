#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "exchange/subscription_plan.hpp"

namespace livetape::bridge {

/// Which quotes a connection has shown. A venue may refuse a whole message for the sake of one instrument in it, and
/// quotes that did not come leave no hole: after a refusal all that are silent are subscribed to alone, once.
class QuoteWatch {
 public:
  explicit QuoteWatch(std::size_t instruments) : is_shown_(instruments) {}

  /// Another connection has shown nothing yet.
  void begin() {
    is_shown_.assign(is_shown_.size(), false);
    look_at_ns_.reset();
    next_ = 0;
  }
  void see(std::uint32_t instrument) noexcept { is_shown_[instrument] = true; }
  /// A subscription was refused; others may work, and show so until then, in steady nanoseconds.
  void look_at(std::int64_t steady_ns) noexcept { look_at_ns_ = steady_ns; }
  /// The next one that is to be made again.
  [[nodiscard]] std::optional<Subscription> next(std::span<const Subscription> subscriptions,
                                                 std::int64_t steady_ns) noexcept {
    if (!look_at_ns_ || steady_ns < *look_at_ns_) return std::nullopt;
    while (next_ < subscriptions.size()) {
      const Subscription& one = subscriptions[next_++];
      if (one.channel == Channel::quotes && !is_shown_[one.instrument]) return one;
    }
    return std::nullopt;
  }

 private:
  std::vector<bool> is_shown_;  // by instrument
  std::optional<std::int64_t> look_at_ns_;
  std::size_t next_ = 0;  // of the connection's subscriptions
};

}  // namespace livetape::bridge
