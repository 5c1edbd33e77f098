#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "exchange/subscription_plan.hpp"

namespace livetape::bridge {

/// Which quotes a connection has shown, and which have ended. Quotes that did not come leave no hole and have no
/// history to ask for. A venue may refuse a whole message for the sake of one instrument in it: after a refusal all
/// that are silent are subscribed to alone, once. Others have ended where an instrument is traded and its quotes stay
/// silent: what is traded changes the best bid or ask.
class QuoteWatch {
 public:
  static constexpr std::int64_t kLongestPatience = 10;  // times the one at first
  /// The part of the patience at first that a quote may come before the trade that it is of, and still be its quote.
  static constexpr std::int64_t kApart = 60;

  /// `patience_ns` is how long quotes may be silent at first while their instrument is traded.
  QuoteWatch(std::size_t instruments, std::int64_t patience_ns) : patience_ns_(patience_ns), watched_(instruments) {}

  /// Another connection has shown nothing yet.
  void begin(std::int64_t steady_ns) {
    watched_.assign(watched_.size(), {steady_ns, patience_ns_});
    look_at_ns_.reset();
    next_ = 0;
  }
  void see(std::uint32_t instrument, std::int64_t steady_ns) noexcept {
    watched_[instrument] = {steady_ns, patience_ns_, true};
  }
  /// Whether this connection has shown one.
  [[nodiscard]] bool is_shown(std::uint32_t instrument) const noexcept { return watched_[instrument].is_shown; }
  /// A subscription was refused; others may work, and show so until then, in steady nanoseconds.
  void look_at(std::int64_t steady_ns) noexcept { look_at_ns_ = steady_ns; }
  /// The next one that is to be made again after a refusal.
  [[nodiscard]] std::optional<Subscription> next(std::span<const Subscription> subscriptions,
                                                 std::int64_t steady_ns) noexcept {
    if (!look_at_ns_ || steady_ns < *look_at_ns_) return std::nullopt;
    while (next_ < subscriptions.size()) {
      const Subscription& one = subscriptions[next_++];
      if (one.channel == Channel::quotes && !watched_[one.instrument].is_shown) return one;
    }
    return std::nullopt;
  }
  /// Whether an instrument's quotes have ended, to be asked now and then; `traded_ns` is when it was last traded. Each
  /// time that they have, they get twice the patience to come again. Those that never showed may be refused ones.
  [[nodiscard]] bool is_dead(std::uint32_t instrument, std::int64_t traded_ns, std::int64_t steady_ns) noexcept {
    Watched& it = watched_[instrument];
    const bool is_refused = look_at_ns_.has_value() && !it.is_shown;
    if (traded_ns <= it.heard_ns + patience_ns_ / kApart || is_refused) return false;
    if (!it.silent_ns) it.silent_ns = steady_ns;
    if (steady_ns - *it.silent_ns < it.patience_ns) return false;
    it = {steady_ns, std::min(2 * it.patience_ns, kLongestPatience * patience_ns_), it.is_shown};
    return true;
  }

 private:
  struct Watched {
    std::int64_t heard_ns = 0;  // its last quote, or when it was subscribed to
    std::int64_t patience_ns = 0;
    bool is_shown = false;
    std::optional<std::int64_t> silent_ns{};  // since when it has been known to be traded without a quote
  };

  std::int64_t patience_ns_;
  std::vector<Watched> watched_;  // by instrument
  std::optional<std::int64_t> look_at_ns_;
  std::size_t next_ = 0;  // of the connection's subscriptions
};

}  // namespace livetape::bridge
