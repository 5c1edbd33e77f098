#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "livetape/decimal.hpp"

namespace livetape {

/// Writes Avro's binary encoding into a caller's buffer and never allocates. Once something does not fit, nothing more
/// is written and `fits` is false.
class AvroWriter {
 public:
  explicit AvroWriter(std::span<std::uint8_t> buffer) noexcept : buffer_(buffer) {}

  /// The Confluent wire header: a zero byte and the schema's registry id, big-endian.
  void write_wire_header(std::int32_t schema_id) noexcept {
    const auto id = static_cast<std::uint32_t>(schema_id);
    const std::uint8_t header[] = {0, static_cast<std::uint8_t>(id >> 24), static_cast<std::uint8_t>(id >> 16),
                                   static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)};
    write_raw(header);
  }

  /// int, long, enum index, union branch, block count: zig-zag and 7 bits a byte.
  void write_long(std::int64_t value) noexcept {
    write_at_most<kMaxLongBytes>([&](std::span<std::uint8_t, kMaxLongBytes> out) {
      auto zigzag = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
      std::size_t length = 0;
      for (; zigzag >= 0x80; zigzag >>= 7) out[length++] = static_cast<std::uint8_t>(zigzag | 0x80);
      out[length++] = static_cast<std::uint8_t>(zigzag);
      return length;
    });
  }

  void write_bytes(std::span<const std::uint8_t> bytes) noexcept {
    write_long(static_cast<std::int64_t>(bytes.size()));
    write_raw(bytes);
  }

  void write_string(std::string_view text) noexcept {
    write_bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }

  void write_decimal(Int128 unscaled) noexcept {
    write_sized<kMaxDecimalBytes>([&](auto out) { return encode_decimal(unscaled, out); });
  }

  [[nodiscard]] bool fits() const noexcept { return fits_; }
  [[nodiscard]] std::span<const std::uint8_t> written() const noexcept { return buffer_.first(size_); }

 private:
  static constexpr std::size_t kMaxLongBytes = 10;

  /// What `write` puts into `kMost` bytes, right where it belongs if so many are left; it returns how many it used.
  template <std::size_t kMost, typename Write>
  void write_at_most(Write write) noexcept {
    if (fits_ && buffer_.size() - size_ >= kMost) {
      size_ += write(buffer_.subspan(size_).template first<kMost>());
      return;
    }
    std::uint8_t bytes[kMost];
    const std::size_t used = write(std::span<std::uint8_t, kMost>(bytes));
    write_raw({bytes, used});
  }

  /// The same behind its length, which is a single byte.
  template <std::size_t kMost, typename Write>
  void write_sized(Write write) noexcept {
    static_assert(kMost < 64);
    write_at_most<kMost + 1>([&](std::span<std::uint8_t, kMost + 1> out) {
      const std::size_t used = write(out.template last<kMost>());
      out[0] = static_cast<std::uint8_t>(used << 1);
      return used + 1;
    });
  }

  void write_raw(std::span<const std::uint8_t> bytes) noexcept {
    fits_ = fits_ && bytes.size() <= buffer_.size() - size_;
    if (!fits_) return;
    if (!bytes.empty()) std::memcpy(buffer_.data() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  std::span<std::uint8_t> buffer_;
  std::size_t size_ = 0;
  bool fits_ = true;
};

}  // namespace livetape
