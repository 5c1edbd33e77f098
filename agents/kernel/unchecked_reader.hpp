#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "load_word.hpp"
#include "varint.hpp"

namespace livetape::kernel {

/// A cursor that looks at no end: for records of the usual shape, behind which there is memory to read, whatever it is.
/// What reads in this way checks at last that it came out at the record's end, and gives up at anything unusual: the
/// record is then read by a `ByteReader`, which says what is wrong with it.
class UncheckedReader {
 public:
  /// So many bytes may be read behind a record's end: a trade of longest texts and numbers, though it ends at once.
  static constexpr std::size_t kMargin = 512;

  explicit UncheckedReader(const std::uint8_t* at) noexcept : at_(at) {}

  [[nodiscard]] const std::uint8_t* at() const noexcept { return at_; }
  /// False once something was met that is not read here.
  [[nodiscard]] bool is_usual() const noexcept { return is_usual_; }

  [[gnu::always_inline]] std::uint8_t byte() noexcept { return *at_++; }

  /// Zig-zag and 7 bits a byte, up to nine bytes of them. One or two of them, as lengths and offsets within a batch
  /// have, are what a branch guesses well; joining the groups of a whole word is four times as many instructions.
  [[gnu::always_inline]] std::int64_t varlong() noexcept {
    std::uint64_t found = *at_;
    if (found < 0x80) {
      ++at_;
      return unzigzag(found);
    }
    if (at_[1] < 0x80) {
      found = (found & 0x7f) | static_cast<std::uint64_t>(at_[1]) << 7;
      at_ += 2;
      return unzigzag(found);
    }
    auto word = load_word(at_);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    constexpr std::uint64_t kMore = 0x8080808080808080;
    const std::uint64_t ends = ~word & kMore;
    if (ends != 0) {
      at_ += std::countr_zero(ends) / 8 + 1;
      return unzigzag(joined_groups(word & (ends ^ (ends - 1))));
    }
    is_usual_ &= at_[8] < 0x80;
    found = joined_groups(word) | static_cast<std::uint64_t>(at_[8]) << 56;
    at_ += 9;
    return unzigzag(found);
  }

  /// Bytes of a length below 64.
  [[gnu::always_inline]] std::string_view short_text() noexcept {
    const std::uint8_t prefix = *at_;
    is_usual_ &= (prefix & 0x81) == 0;
    const std::string_view found(reinterpret_cast<const char*>(at_ + 1), prefix >> 1 & 0x3f);
    at_ += 1 + found.size();
    return found;
  }

  /// Bytes of a length of 1 to 15; none where it is another.
  [[gnu::always_inline]] std::string_view decimal_bytes() noexcept {
    constexpr std::uint8_t kMostBytes = 15;
    const std::uint8_t prefix = *at_;
    if ((prefix & 1) != 0 || prefix == 0 || prefix > 2 * kMostBytes) return {};
    const std::string_view found(reinterpret_cast<const char*>(at_ + 1), prefix >> 1);
    at_ += 1 + found.size();
    return found;
  }

 private:
  const std::uint8_t* at_;
  bool is_usual_ = true;
};

}  // namespace livetape::kernel
