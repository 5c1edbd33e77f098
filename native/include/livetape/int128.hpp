#pragma once

namespace livetape {

// 128-bit integers are an extension of the compilers that livetape is built with; -Wpedantic is told once, here.
// NOLINTBEGIN(modernize-use-using): `using` takes no __extension__
__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;
// NOLINTEND(modernize-use-using)

/// 10 to the power of `exponent`, for exponents from 0 to 38.
constexpr UInt128 power_of_ten(int exponent) noexcept {
  UInt128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

}  // namespace livetape
