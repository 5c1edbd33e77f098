#pragma once

#include <array>
#include <cstddef>

namespace livetape {

// 128-bit integers are an extension of the compilers that livetape is built with; -Wpedantic is told once, here.
// NOLINTBEGIN(modernize-use-using): `using` takes no __extension__
__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;
// NOLINTEND(modernize-use-using)

inline constexpr int kMaxPowerOfTen = 38;
inline constexpr auto kPowersOfTen = [] {
  std::array<UInt128, kMaxPowerOfTen + 1> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

/// 10 to the power of `exponent`, for exponents from 0 to 38.
constexpr UInt128 power_of_ten(int exponent) noexcept { return kPowersOfTen[static_cast<std::size_t>(exponent)]; }

}  // namespace livetape
