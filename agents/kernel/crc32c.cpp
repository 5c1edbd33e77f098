#include "crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace livetape::kernel {
namespace {

constexpr std::uint32_t kReversedPolynomial = 0x82f63b78;

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ ((remainder & 1) ? kReversedPolynomial : 0);
    table[byte] = remainder;
  }
  return table;
}

std::uint32_t by_table(std::uint32_t crc, std::span<const std::uint8_t> data) noexcept {
  static constexpr auto kTable = make_table();
  for (const std::uint8_t byte : data) crc = (crc >> 8) ^ kTable[(crc ^ byte) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc,
                                                               std::span<const std::uint8_t> data) noexcept {
  std::uint64_t wide = crc;
  for (; data.size() >= sizeof wide; data = data.subspan(sizeof wide)) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data(), sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  return by_table(static_cast<std::uint32_t>(wide), data);
}
#endif

}  // namespace

std::uint32_t crc32c(std::span<const std::uint8_t> data) noexcept {
  constexpr std::uint32_t kInverted = 0xffffffff;
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return ~by_instruction(kInverted, data);
#endif
  return ~by_table(kInverted, data);
}

}  // namespace livetape::kernel
