#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/venue_clock.hpp"

namespace livetape::bridge {

/// Whether the subscription to one instrument's trades is dead: it is silent, and the venue's history has trades that
/// were made since it worked. What was traded before tells nothing of it, however late the history brings that. Times
/// are steady nanoseconds, but for those of the venue.
class TradeWatch {
 public:
  static constexpr std::int64_t kLongestPatience = 10;      // times the one at first
  static constexpr std::int64_t kLatestNs = 2'000'000'000;  // by which a trade of the history must be on the stream too

  enum class Step : std::uint8_t {
    nothing,
    ask,     // the history, for what is traded
    revive,  // the subscription, which is dead
  };
  /// How a dead one is revived. Each is for where the one before did not help.
  enum class Cure : std::uint8_t {
    subscribe,    // again
    connect,      // again
    give_up,      // subscribe again, now and then: no connection is cut for it any more
    keep_trying,  // the same, since it was given up
  };

  /// `patience_ns` is how long an instrument may be silent at first.
  explicit TradeWatch(std::int64_t patience_ns) : first_patience_ns_(patience_ns) {}

  /// Another connection, whose subscriptions do not work yet.
  void begin(std::int64_t steady_ns) noexcept {
    begun_ns_ = steady_ns;
    works_ns_.reset();
    found_ns_.reset();
    be_patient(steady_ns);
    if (next_ == Cure::connect) next_ = Cure::give_up;  // whatever ended the former connection, it is made again
  }
  /// The subscription works from now on, as far as one can tell.
  void work(std::int64_t steady_ns) noexcept { works_ns_ = steady_ns; }
  /// The stream has shown a trade.
  void hear(std::int64_t steady_ns) noexcept {
    traded_ns_ = steady_ns;
    found_ns_.reset();
    next_ = Cure::subscribe;
    be_patient(steady_ns);
  }
  /// When the stream last showed one.
  [[nodiscard]] std::int64_t traded_ns() const noexcept { return traded_ns_; }
  /// The subscription may have been refused: unless it has shown trades it is looked into after so long, and again and
  /// again at first, since an answer tells only of what was traded until then.
  void look_soon(std::int64_t steady_ns, std::int64_t after_ns) noexcept {
    if (traded_ns_ > begun_ns_) return;
    patience_ns_ = std::min(after_ns, first_patience_ns_);
    look_at_ns_ = steady_ns + patience_ns_;
  }
  /// The history had a trade that the stream has not shown, of this time of the venue's; now it is `venue_ns` there.
  void find(std::int64_t event_time_ns, std::int64_t venue_ns, std::int64_t steady_ns) noexcept {
    if (!works_ns_ || found_ns_) return;
    const std::int64_t shown_ns = venue_ns - (steady_ns - std::max(*works_ns_, traded_ns_));
    if (event_time_ns > shown_ns + VenueClock::kMostBehindOursNs) found_ns_ = steady_ns;
  }
  /// What there is to do, to be asked now and then. It is told to revive until that is done.
  [[nodiscard]] Step next(std::int64_t steady_ns) noexcept {
    if (found_ns_) return steady_ns - *found_ns_ < kLatestNs ? Step::nothing : Step::revive;
    if (steady_ns < look_at_ns_) return Step::nothing;
    patience_ns_ = std::min(2 * patience_ns_, kLongestPatience * first_patience_ns_);  // it may simply not be traded
    look_at_ns_ = steady_ns + patience_ns_;
    return Step::ask;
  }
  /// It is revived now, so. Trades that are made before it works again tell nothing.
  [[nodiscard]] Cure revive(std::int64_t steady_ns) noexcept {
    works_ns_.reset();
    found_ns_.reset();
    const Cure cure = next_;
    if (cure == Cure::subscribe) be_patient(steady_ns);
    if (cure != Cure::keep_trying) next_ = static_cast<Cure>(static_cast<int>(cure) + 1);
    return cure;
  }

 private:
  void be_patient(std::int64_t steady_ns) noexcept {
    patience_ns_ = first_patience_ns_;
    look_at_ns_ = steady_ns + patience_ns_;
  }

  std::int64_t first_patience_ns_;
  std::int64_t patience_ns_ = 0;
  std::int64_t look_at_ns_ = 0;           // when its silence is looked into
  std::int64_t begun_ns_ = 0;             // when the connection was made
  std::int64_t traded_ns_ = 0;            // the newest frame that had a trade of it
  std::optional<std::int64_t> works_ns_;  // since when the subscription works
  std::optional<std::int64_t> found_ns_;  // when the history had trades that the stream has not shown
  Cure next_ = Cure::subscribe;           // what was not tried since it last showed a trade
};

}  // namespace livetape::bridge
