#pragma once

#include <cstdint>

#include "livetape/int128.hpp"

namespace livetape::bridge {

/// Puts the ticks of a network card's clock on ours. A card says neither how long its tick is nor when it counted from,
/// so both clocks are read together, again and again: the newest reading says where the card's clock is, and that with
/// the one before how fast it goes. Nothing older has a part in it, so no error adds up.
///
/// Times are told while each reading is as the two before it foretold, so from the third on. Where our clock is
/// stepped, or the card's begins anew, none is told until three readings agree again.
class CardClock {
 public:
  /// The card's ticks, and our time before and after they were read.
  struct Reading {
    std::int64_t before_ns = 0;
    std::uint64_t ticks = 0;
    std::int64_t after_ns = 0;
  };

  static constexpr std::int64_t kLongestReadNs = 10'000;  // to read a card takes about 1 µs, unless one is interrupted
  static constexpr std::int64_t kStepNs = 1'000'000;      // no clock is slewed by more than that in a second
  static constexpr std::int64_t kReachNs = 10'000'000'000;  // around the newest reading

  /// Takes a reading some tenths of a second, or a second, behind the last one. One that took too long is left out:
  /// nobody knows when in that time the card was read.
  void see(const Reading& reading) noexcept;

  /// When the card's clock had so many ticks, in nanoseconds since 1970 by our clock; 0: that is not known, as of
  /// ticks that are far from the newest reading.
  [[nodiscard]] std::int64_t utc_ns(std::uint64_t ticks) const noexcept {
    return is_as_foretold_ ? foretell(ticks) : 0;
  }

 private:
  /// Both clocks at one time.
  struct Pair {
    std::uint64_t ticks = 0;
    std::int64_t utc_ns = 0;  // 0: there was no reading yet
  };

  static constexpr int kRateBits = 40;  // so many bits of a rate are behind its point: 10^10 ticks add up to 0.01 ns

  [[nodiscard]] static std::int64_t rate_between(const Pair& from, const Pair& to) noexcept;

  /// Ticks may be of before the newest reading, and their 64 bits may run over.
  [[nodiscard]] std::int64_t foretell(std::uint64_t ticks) const noexcept {
    const auto ticks_since = static_cast<std::int64_t>(ticks - newest_.ticks);
    const Int128 ns_since = (Int128{ticks_since} * rate_) >> kRateBits;
    if (ns_since > kReachNs || ns_since < -kReachNs) return 0;
    return newest_.utc_ns + static_cast<std::int64_t>(ns_since);
  }

  Pair newest_;
  std::int64_t rate_ = 0;        // nanoseconds of a tick, by 2^kRateBits; 0: not known
  bool is_as_foretold_ = false;  // the newest reading, by the two before it
};

}  // namespace livetape::bridge
