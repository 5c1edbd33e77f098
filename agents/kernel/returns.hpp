#pragma once

#include <cstdint>

#include "livetape/decimal.hpp"

/// Log returns between the closes of consecutive base bars: what realised volatility is the root of.
namespace livetape::kernel {

inline constexpr double kReturnUnits = 1e28;  // squared returns are counted in units of 10^-28

/// ln(later / earlier)² in units of 10^-28, of prices above 0. The logarithm is a series of our own, by IEEE 754's four
/// operations only: a library's may differ in its last bit from one machine to the next, and bars must not.
[[nodiscard]] UInt128 squared_log_return(Int128 earlier, Int128 later) noexcept;

/// The returns within a stretch of base bars. Each is rounded once, and whole numbers are summed: any grouping gives
/// the same.
struct Returns {
  Int128 first_close = 0;  // of the base bars that have a close; 0 where none has
  Int128 last_close = 0;
  UInt128 squared = 0;     // their sum
  std::int64_t count = 0;  // of the returns
  bool is_known = true;    // false of state of a release that did not sum them

  /// Takes the stretch that follows.
  void append(const Returns& later) noexcept;
  friend bool operator==(const Returns&, const Returns&) = default;
};

}  // namespace livetape::kernel
