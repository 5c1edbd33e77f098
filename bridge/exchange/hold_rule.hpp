#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace livetape::bridge {

/// How long an instrument's newer trades wait for those that are missing before them. Bars must not wait for ever: what
/// is found later makes revisions of them. But a trade that is behind the newest one by more than the correction
/// horizon, a quarter of an hour where nobody says otherwise, is in no bar at all: behind a long outage the newer ones
/// wait for as long as the history goes on answering. Times are steady nanoseconds.
class HoldRule {
 public:
  static constexpr std::int64_t kLongestNs = 30'000'000'000;
  static constexpr std::int64_t kLongAgoNs = 300'000'000'000;

  explicit HoldRule(std::size_t instruments) : failing_(instruments) {}

  /// The venue's history has answered.
  void see_answer(std::uint32_t instrument, std::int64_t steady_ns) noexcept {
    answer_ns_ = steady_ns;
    failing_[instrument].reset();
  }
  /// It was asked in vain.
  void see_failure(std::uint32_t instrument, std::int64_t steady_ns) noexcept {
    std::optional<Failing>& failing = failing_[instrument];
    if (!failing) failing = Failing{steady_ns, steady_ns};
    failing->last_ns = steady_ns;
  }
  /// It is not asked for the instrument any more.
  void forget(std::uint32_t instrument) noexcept { failing_[instrument].reset(); }
  /// Whether an instrument's have waited long enough: since `held_ns`, for trades behind one that happened so long ago.
  [[nodiscard]] bool is_over(std::uint32_t instrument, std::int64_t held_ns, std::int64_t behind_ns,
                             std::int64_t steady_ns) const noexcept {
    if (steady_ns - held_ns < kLongestNs) return false;
    return behind_ns < kLongAgoNs || !goes_on(instrument, held_ns, steady_ns);
  }

 private:
  /// When it was asked in vain first and last, with no answer between.
  struct Failing {
    std::int64_t first_ns;
    std::int64_t last_ns;
  };

  /// Instruments are asked for one after the other: the answer for any of them is a sign that this one's turn comes,
  /// unless it had its turns and nothing came of them. After one in vain the next is sure to come, however many others
  /// are before it: one that is asked for no more is forgotten.
  [[nodiscard]] bool goes_on(std::uint32_t instrument, std::int64_t held_ns, std::int64_t steady_ns) const noexcept {
    const std::optional<Failing>& failing = failing_[instrument];
    const bool is_failing = failing && failing->last_ns - failing->first_ns >= kLongestNs;
    return answer_ns_ >= held_ns && steady_ns - answer_ns_ < kLongestNs && !is_failing;
  }

  std::int64_t answer_ns_ = 0;                   // the newest
  std::vector<std::optional<Failing>> failing_;  // by instrument
};

}  // namespace livetape::bridge
