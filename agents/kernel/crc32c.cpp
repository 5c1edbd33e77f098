#include "crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#include "prefetch.hpp"

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
constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::size_t kLane = 1024;

__attribute__((target("sse4.2"))) inline std::uint64_t next_word(std::uint64_t crc, const std::uint8_t* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return _mm_crc32_u64(crc, word);
}

/// What `kLane` zero bytes behind it make of a remainder: linear, so a table for each of its bytes is enough.
class LaneShift {
 public:
  LaneShift() noexcept {
    static constexpr std::array<std::uint8_t, kLane> kZeros{};
    for (std::size_t place = 0; place < tables_.size(); ++place) {
      for (std::uint32_t byte = 0; byte < tables_[place].size(); ++byte) {
        tables_[place][byte] = by_table(byte << (8 * place), kZeros);
      }
    }
  }
  [[nodiscard]] std::uint32_t operator()(std::uint32_t crc) const noexcept {
    return tables_[0][crc & 0xff] ^ tables_[1][crc >> 8 & 0xff] ^ tables_[2][crc >> 16 & 0xff] ^ tables_[3][crc >> 24];
  }

 private:
  std::array<std::array<std::uint32_t, 256>, 4> tables_{};
};

/// The instruction takes three cycles and can begin each cycle: three stretches side by side cost what one does. They
/// begin anew before the processor sees that they are stretches, so the next ones are asked for.
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::uint32_t crc,
                                                               std::span<const std::uint8_t> data) noexcept {
  static const LaneShift shift;
  for (; data.size() >= 3 * kLane; data = data.subspan(3 * kLane)) {
    std::uint64_t first = crc;
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    const bool has_more = data.size() >= std::size_t{6} * kLane;
    for (const std::uint8_t* line = data.data(); line != data.data() + kLane; line += kCacheLine) {
      for (std::size_t lane = 3; has_more && lane < 6; ++lane) __builtin_prefetch(line + lane * kLane);
      for (const std::uint8_t* at = line; at != line + kCacheLine; at += kWord) {
        first = next_word(first, at);
        second = next_word(second, at + kLane);
        third = next_word(third, at + 2 * kLane);
      }
    }
    crc = shift(shift(static_cast<std::uint32_t>(first)) ^ static_cast<std::uint32_t>(second)) ^
          static_cast<std::uint32_t>(third);
  }
  std::uint64_t wide = crc;
  for (; data.size() >= kWord; data = data.subspan(kWord)) wide = next_word(wide, data.data());
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
