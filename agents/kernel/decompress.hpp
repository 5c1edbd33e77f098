#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace livetape::kernel {

/// Compression of a record batch: the lowest three bits of its attributes.
enum class Codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

/// A batch that is larger than this when decompressed is refused. Producers bound a batch before they compress it, to
/// 1 MiB as a rule, so this is an attack or an accident.
inline constexpr std::size_t kMaxDecompressedBytes = std::size_t{64} << 20;

/// Decompresses batch after batch into one buffer that it keeps. Not for two threads at once.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  Decompressor(Decompressor&& other) noexcept;
  Decompressor& operator=(Decompressor&& other) noexcept;
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  /// The plain bytes, valid until the next call; empty `error` means success.
  struct Result {
    std::span<const std::uint8_t> data;
    std::string error;
    const std::uint8_t* readable_end =
        nullptr;  // of the memory that the plain bytes are in; null where they came plain
  };
  [[nodiscard]] Result decompress(Codec codec, std::span<const std::uint8_t> compressed);

 private:
  Result decompress_into_buffer(Codec codec, std::span<const std::uint8_t> compressed);

  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace livetape::kernel
