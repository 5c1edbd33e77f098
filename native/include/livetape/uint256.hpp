#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "livetape/int128.hpp"

namespace livetape {

/// An unsigned 256-bit integer, for sums of price times size. Arithmetic wraps; callers check their bounds first.
class UInt256 {
 public:
  constexpr UInt256() noexcept = default;
  constexpr explicit UInt256(UInt128 value) noexcept
      : limbs_{static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(value >> 64), 0, 0} {}
  constexpr UInt256(UInt128 high, UInt128 low) noexcept
      : limbs_{static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(low >> 64), static_cast<std::uint64_t>(high),
               static_cast<std::uint64_t>(high >> 64)} {}

  /// The full product of two 128-bit numbers.
  [[gnu::always_inline]] static constexpr UInt256 product(UInt128 a, UInt128 b) noexcept {
    const auto a0 = static_cast<std::uint64_t>(a), a1 = static_cast<std::uint64_t>(a >> 64);
    const auto b0 = static_cast<std::uint64_t>(b), b1 = static_cast<std::uint64_t>(b >> 64);
    // As on paper: a product of two limbs, with one limb or two added to it, leaves 128 bits no carry.
    const UInt128 low = static_cast<UInt128>(a0) * b0;
    const UInt128 cross = static_cast<UInt128>(a1) * b0 + static_cast<std::uint64_t>(low >> 64);
    const UInt128 middle = static_cast<UInt128>(a0) * b1 + static_cast<std::uint64_t>(cross);
    const UInt128 high = static_cast<UInt128>(a1) * b1 + static_cast<std::uint64_t>(cross >> 64) +
                         static_cast<std::uint64_t>(middle >> 64);
    return {high, (middle << 64) | static_cast<std::uint64_t>(low)};
  }

  [[gnu::always_inline]] constexpr UInt256& operator+=(const UInt256& other) noexcept {
    const UInt128 its_low = other.low();
    const UInt128 sum = low() + its_low;
    return *this = UInt256(high() + other.high() + (sum < its_low ? 1 : 0), sum);
  }
  constexpr UInt256& operator-=(const UInt256& other) noexcept {
    const UInt128 borrow = low() < other.low() ? 1 : 0;
    return *this = UInt256(high() - other.high() - borrow, low() - other.low());
  }
  friend constexpr UInt256 operator+(UInt256 a, const UInt256& b) noexcept { return a += b; }
  friend constexpr UInt256 operator-(UInt256 a, const UInt256& b) noexcept { return a -= b; }

  friend constexpr bool operator==(const UInt256&, const UInt256&) noexcept = default;
  friend constexpr std::strong_ordering operator<=>(const UInt256& a, const UInt256& b) noexcept {
    for (std::size_t i = a.limbs_.size(); i-- > 0;) {
      if (a.limbs_[i] != b.limbs_[i]) return a.limbs_[i] <=> b.limbs_[i];
    }
    return std::strong_ordering::equal;
  }

  [[nodiscard]] constexpr UInt128 high() const noexcept { return (static_cast<UInt128>(limbs_[3]) << 64) | limbs_[2]; }
  [[nodiscard]] constexpr UInt128 low() const noexcept { return (static_cast<UInt128>(limbs_[1]) << 64) | limbs_[0]; }

 private:
  std::array<std::uint64_t, 4> limbs_{};  // least significant first
};

}  // namespace livetape
