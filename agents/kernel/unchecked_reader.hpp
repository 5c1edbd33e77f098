#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "livetape/decimal.hpp"
#include "load_word.hpp"
#include "varint.hpp"

namespace livetape::kernel {

/// A cursor that looks at no end: for records of the usual shape, behind which there is memory to read, whatever it is.
/// Each read is false at anything unusual. What reads in this way gives up then, and where it does not come out at the
/// record's end: the record is read by a `ByteReader`, which says what is wrong with it.
class UncheckedReader {
 public:
  /// So many bytes may be read behind a record's end: a trade of longest texts and numbers, though it ends at once.
  static constexpr std::size_t kMargin = 512;

  explicit UncheckedReader(const std::uint8_t* at) noexcept : at_(at) {}

  [[nodiscard]] const std::uint8_t* at() const noexcept { return at_; }

  [[gnu::always_inline]] std::uint8_t byte() noexcept { return *at_++; }

  /// Zig-zag and 7 bits a byte, up to nine bytes of them. One or two of them, as offsets within a batch have, are what
  /// a branch guesses well; joining the groups of a whole word is four times as many instructions.
  [[nodiscard, gnu::always_inline]] bool varlong(std::int64_t& out) noexcept {
    std::uint64_t found = 0;
    if (!short_number(found)) return long_varlong(out);
    out = unzigzag(found);
    return true;
  }

  /// The same of a number that mostly has more than two bytes.
  [[nodiscard, gnu::always_inline]] bool long_varlong(std::int64_t& out) noexcept {
    const std::uint64_t word = little_endian_word();
    const std::uint64_t ends = ~word & kMore;
    if (ends == 0) {
      const std::uint64_t last = at_[8];
      at_ += 9;
      out = unzigzag(joined_groups(word & ~kMore) | last << 56);
      return last < kMoreOfByte;
    }
    at_ += bytes_up_to(ends);
    out = unzigzag(joined_groups(word & (ends ^ (ends - 1)) & ~kMore));
    return true;
  }

  /// Up to eight bytes of a number.
  [[nodiscard, gnu::always_inline]] bool skip_varlong() noexcept {
    const std::uint64_t ends = ~little_endian_word() & kMore;
    if (ends == 0) return false;
    at_ += bytes_up_to(ends);
    return true;
  }

  /// Nanoseconds since 1970 in nine bytes, as those from 1971 to 2116 are.
  [[nodiscard, gnu::always_inline]] bool time(std::int64_t& out) noexcept {
    const std::uint64_t groups = little_endian_word() ^ kMore;
    const std::uint64_t last = at_[8];
    if ((groups & (kMore | 1)) != 0 || last >= kMoreOfByte) return false;  // shorter, below 0 or longer
    at_ += 9;
    out = static_cast<std::int64_t>(joined_groups(groups) >> 1 | last << 55);
    return true;
  }

  [[nodiscard, gnu::always_inline]] bool skip_time() noexcept {
    if ((~load_word(at_) & kMore) != 0 || at_[8] >= kMoreOfByte) return false;
    at_ += 9;
    return true;
  }

  /// A union of null and a time, in this order.
  [[nodiscard, gnu::always_inline]] bool skip_maybe_time() noexcept {
    constexpr std::uint8_t kSecondBranch = 2;
    const std::uint8_t branch = byte();
    return branch == kSecondBranch ? skip_time() : branch == 0;
  }

  /// A length below 8,192.
  [[nodiscard, gnu::always_inline]] bool length(std::size_t& out) noexcept {
    std::uint64_t found = 0;
    if (!short_number(found) || (found & 1) != 0) return false;
    out = found >> 1;
    return true;
  }

  /// Bytes of a length below 64.
  [[nodiscard, gnu::always_inline]] bool short_text(std::string_view& out) noexcept {
    const std::size_t prefix = *at_;
    if ((prefix & (kMoreOfByte | 1)) != 0) return false;
    out = {reinterpret_cast<const char*>(at_ + 1), prefix >> 1};
    at_ += 1 + (prefix >> 1);
    return true;
  }

  /// A decimal of 15 bytes or fewer, which is always in range.
  [[nodiscard, gnu::always_inline]] bool short_decimal(Int128& out) noexcept {
    constexpr std::size_t kMostBytes = 15;
    const std::size_t prefix = *at_;
    const std::size_t size = prefix >> 1;
    if ((prefix & 1) != 0 || size - 1 >= kMostBytes) return false;
    decode_padded_decimal({at_ + 1, size}, out);
    at_ += 1 + size;
    return true;
  }

 private:
  static constexpr std::uint8_t kMoreOfByte = 0x80;  // of a byte of a number: another one follows
  static constexpr std::uint64_t kMore = 0x8080808080808080;

  [[nodiscard, gnu::always_inline]] std::uint64_t little_endian_word() const noexcept {
    const auto word = load_word(at_);
    return std::endian::native == std::endian::big ? __builtin_bswap64(word) : word;
  }

  /// How many bytes a number has whose bytes without another one behind are marked so.
  [[gnu::always_inline]] static std::size_t bytes_up_to(std::uint64_t ends) noexcept {
    return static_cast<std::size_t>(std::countr_zero(ends)) / 8 + 1;
  }

  /// Of one byte or two; false, with nothing read, where it has more.
  [[gnu::always_inline]] bool short_number(std::uint64_t& out) noexcept {
    out = at_[0];
    if (out < kMoreOfByte) {
      ++at_;
      return true;
    }
    const std::uint64_t second = at_[1];
    if (second >= kMoreOfByte) return false;
    out += (second - 1) << 7;
    at_ += 2;
    return true;
  }

  const std::uint8_t* at_;
};

}  // namespace livetape::kernel
