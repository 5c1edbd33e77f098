#include "decompress.hpp"

#define ZLIB_CONST  // its input is const then
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <optional>
#include <utility>

#include "byte_reader.hpp"

namespace livetape::kernel {
namespace {

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;
using Result = Decompressor::Result;

constexpr std::size_t kFirstBytes = std::size_t{1} << 20;
constexpr std::size_t kKeptBytes = std::size_t{8} << 20;  // what one large batch took is given back by the next

Result corrupt(const char* codec) { return {{}, std::string("corrupt ") + codec + " data"}; }
Result truncated(const char* codec) { return {{}, std::string("truncated ") + codec + " data"}; }
Result too_large(const char* codec) { return {{}, std::string(codec) + " data of more than 64 MiB"}; }

/// Room for twice as much, at the last for one byte more than is allowed; false when there is that already.
bool grow(Buffer& buffer) {
  if (buffer.size() > kMaxDecompressedBytes) return false;
  const std::size_t twice = buffer.size() * 2;
  buffer.resize(twice < kMaxDecompressedBytes ? twice : kMaxDecompressedBytes + 1);
  return true;
}

/// What one call of a streaming decoder came to.
enum class Stage : std::uint8_t { goes_on, is_complete, is_corrupt };

/// Calls a streaming decoder until its frame ends. `step(in, in_size, out, out_size)` is one call; the sizes come in as
/// what there is and go out as what was used.
template <typename OneStep>
Result stream(Buffer& buffer, Bytes in, const char* codec, OneStep step) {
  std::size_t size = 0;
  while (true) {
    std::size_t consumed = in.size();
    std::size_t produced = buffer.size() - size;
    const Stage done = step(in.data(), consumed, buffer.data() + size, produced);
    if (done == Stage::is_corrupt) return corrupt(codec);
    in = in.subspan(consumed);
    size += produced;
    if (size > kMaxDecompressedBytes) return too_large(codec);
    if (done == Stage::is_complete) return {{buffer.data(), size}, {}};
    if (size < buffer.size() && (in.empty() || (consumed == 0 && produced == 0))) return truncated(codec);
    if (size == buffer.size()) grow(buffer);
  }
}

Result decompress_gzip(z_stream& decoder, Buffer& buffer, Bytes compressed) {
  inflateReset(&decoder);
  return stream(buffer, compressed, "gzip", [&](auto* in, std::size_t& consumed, auto* out, std::size_t& produced) {
    decoder.next_in = in;
    decoder.avail_in = static_cast<uInt>(consumed);
    decoder.next_out = out;
    decoder.avail_out = static_cast<uInt>(produced);
    const int result = inflate(&decoder, Z_NO_FLUSH);
    consumed -= decoder.avail_in;
    produced -= decoder.avail_out;
    if (result == Z_STREAM_END) return Stage::is_complete;
    return result == Z_OK || result == Z_BUF_ERROR ? Stage::goes_on : Stage::is_corrupt;
  });
}

Result decompress_lz4(LZ4F_dctx* decoder, Buffer& buffer, Bytes compressed) {
  LZ4F_resetDecompressionContext(decoder);
  return stream(buffer, compressed, "lz4", [&](auto* in, std::size_t& consumed, auto* out, std::size_t& produced) {
    const std::size_t hint = LZ4F_decompress(decoder, out, &produced, in, &consumed, nullptr);
    if (LZ4F_isError(hint) != 0) return Stage::is_corrupt;
    return hint == 0 ? Stage::is_complete : Stage::goes_on;
  });
}

/// In one call, again with more room where that was too little: a streaming decoder would take a window of up to
/// 128 MiB beside the buffer, as the frame asks it to.
Result decompress_zstd(ZSTD_DCtx* decoder, Buffer& buffer, Bytes compressed) {
  do {
    const std::size_t size =
        ZSTD_decompressDCtx(decoder, buffer.data(), buffer.size(), compressed.data(), compressed.size());
    const ZSTD_ErrorCode error = ZSTD_getErrorCode(size);
    if (error == ZSTD_error_srcSize_wrong) return truncated("zstd");
    if (error == ZSTD_error_no_error && size <= kMaxDecompressedBytes) return {{buffer.data(), size}, {}};
    if (error != ZSTD_error_dstSize_tooSmall && error != ZSTD_error_no_error) return corrupt("zstd");
  } while (grow(buffer));
  return too_large("zstd");
}

/// The blocks of snappy data: those of the frame that Java's clients put around them, or the one that librdkafka sends
/// bare. The frame, snappy-java's SnappyOutputStream, is a magic, two versions, and blocks behind their sizes.
class SnappyBlocks {
 public:
  explicit SnappyBlocks(Bytes data) noexcept : in_(data) {
    constexpr std::array<std::uint8_t, 8> kMagic{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
    constexpr std::size_t kVersionBytes = 8;
    is_framed_ = data.size() >= kMagic.size() && std::ranges::equal(data.first(kMagic.size()), kMagic);
    if (is_framed_) in_.bytes(kMagic.size() + kVersionBytes);
  }

  /// The next block; nothing at the end, and where a block is cut off: then `ok` is false.
  std::optional<Bytes> next() noexcept {
    if (in_.remaining() == 0) return std::nullopt;
    const std::size_t size = is_framed_ ? in_.big_endian<std::uint32_t>() : in_.remaining();
    const Bytes block = in_.bytes(size);
    return in_.ok() ? std::optional(block) : std::nullopt;
  }
  [[nodiscard]] bool ok() const noexcept { return in_.ok(); }

 private:
  ByteReader in_;
  bool is_framed_ = false;
};

const char* text(Bytes bytes) noexcept { return reinterpret_cast<const char*>(bytes.data()); }

/// The size that a block says it has, when its bytes can be so many: else a few bytes would take all the memory.
std::optional<std::size_t> plain_size(Bytes snappy_block) noexcept {
  constexpr std::size_t kLargestRatio = 64;  // a copy of 64 bytes takes more than one
  std::size_t size = 0;
  const snappy_status status = snappy_uncompressed_length(text(snappy_block), snappy_block.size(), &size);
  return status == SNAPPY_OK && size <= snappy_block.size() * kLargestRatio ? std::optional(size) : std::nullopt;
}

Result decompress_snappy(Buffer& buffer, Bytes compressed) {
  std::size_t total = 0;
  SnappyBlocks sizes(compressed);
  while (const auto block = sizes.next()) {
    const auto size = plain_size(*block);
    if (!size) return corrupt("snappy");
    total += *size;
    if (total > kMaxDecompressedBytes) return too_large("snappy");
  }
  if (!sizes.ok()) return truncated("snappy");
  if (buffer.size() < total) buffer.resize(total);

  char* out = reinterpret_cast<char*>(buffer.data());
  std::size_t room = total;
  SnappyBlocks blocks(compressed);
  while (const auto block = blocks.next()) {
    std::size_t size = room;
    if (snappy_uncompress(text(*block), block->size(), out, &size) != SNAPPY_OK) return corrupt("snappy");
    out += size;
    room -= size;
  }
  return {{buffer.data(), total}, {}};
}

}  // namespace

/// The decoders' own memory, which they keep from batch to batch.
struct Decompressor::Contexts {
  Contexts() : zstd(ZSTD_createDCtx()) {
    constexpr int kOnlyGzip = 16;
    has_gzip = inflateInit2(&gzip, MAX_WBITS + kOnlyGzip) == Z_OK;
    LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION);
  }
  ~Contexts() {
    LZ4F_freeDecompressionContext(lz4);
    if (has_gzip) inflateEnd(&gzip);
    ZSTD_freeDCtx(zstd);
  }
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;
  [[nodiscard]] bool are_there() const noexcept { return has_gzip && lz4 != nullptr && zstd != nullptr; }

  z_stream gzip{};
  bool has_gzip = false;
  LZ4F_dctx* lz4 = nullptr;
  ZSTD_DCtx* zstd = nullptr;
};

Decompressor::Decompressor() : contexts_(std::make_unique<Contexts>()) {
  if (!contexts_->are_there()) throw std::bad_alloc();
}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

Result Decompressor::decompress(Codec codec, Bytes compressed) {
  if (codec == Codec::none) return {compressed, {}};
  if (buffer_.size() > kKeptBytes) buffer_ = Buffer{};
  if (buffer_.empty()) buffer_.resize(kFirstBytes);
  Result result = decompress_into_buffer(codec, compressed);
  result.readable_end = buffer_.data() + buffer_.size();
  return result;
}

Result Decompressor::decompress_into_buffer(Codec codec, Bytes compressed) {
  switch (codec) {
    case Codec::none:
      break;
    case Codec::gzip:
      return decompress_gzip(contexts_->gzip, buffer_, compressed);
    case Codec::snappy:
      return decompress_snappy(buffer_, compressed);
    case Codec::lz4:
      return decompress_lz4(contexts_->lz4, buffer_, compressed);
    case Codec::zstd:
      return decompress_zstd(contexts_->zstd, buffer_, compressed);
  }
  return {{}, "unknown codec " + std::to_string(static_cast<int>(codec))};
}

}  // namespace livetape::kernel
