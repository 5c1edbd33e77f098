#include "returns.hpp"

#include <algorithm>
#include <numbers>

namespace livetape::kernel {
namespace {

/// ln(high / low): halvings of the quotient until it is below 2, then ln((1 + z) / (1 - z)) = 2 (z + z³/3 + z⁵/5 + …).
double log_ratio(UInt128 low, UInt128 high) noexcept {
  int halvings = 0;
  for (; low <= high / 2; low *= 2) ++halvings;
  const double z = static_cast<double>(high - low) / static_cast<double>(high + low);
  const double square = z * z;
  double sum = 1;
  double power = 1;
  for (double odd = 3;; odd += 2) {
    power *= square;
    const double next = sum + power / odd;
    if (next == sum) break;
    sum = next;
  }
  return halvings * std::numbers::ln2 + 2 * z * sum;
}

}  // namespace

UInt128 squared_log_return(Int128 earlier, Int128 later) noexcept {
  const auto [low, high] = std::minmax({static_cast<UInt128>(earlier), static_cast<UInt128>(later)});
  const double log = log_ratio(low, high);
  return static_cast<UInt128>(log * log * kReturnUnits);
}

void Returns::append(const Returns& later) noexcept {
  is_known &= later.is_known;
  if (later.first_close == 0) return;
  if (first_close == 0) {
    first_close = later.first_close;
  } else {
    squared = std::min(squared + squared_log_return(last_close, later.first_close), kDecimalLimit - 1);
    ++count;
  }
  last_close = later.last_close;
  squared = std::min(squared + later.squared, kDecimalLimit - 1);
  count += later.count;
}

}  // namespace livetape::kernel
