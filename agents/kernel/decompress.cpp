#include "decompress.hpp"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "byte_reader.hpp"

namespace livetape::kernel {
namespace {

// A batch larger than this is an attack or an accident: brokers take messages of a few MiB.
constexpr std::size_t kMaxBytes = std::size_t{256} << 20;
constexpr std::size_t kFirstBytes = std::size_t{1} << 20;

using Result = Decompressor::Result;

/// Drives a streaming decoder until its frame ends: `step(in, in_size, out, out_size)` consumes and produces, and says
/// whether the frame is complete.
template <typename Step>
Result drive(std::vector<std::uint8_t>& buffer, std::span<const std::uint8_t> in, const char* name, Step step) {
  if (buffer.empty()) buffer.resize(kFirstBytes);
  std::size_t size = 0;
  while (true) {
    std::size_t consumed = in.size();
    std::size_t produced = buffer.size() - size;
    bool is_complete = false;
    if (!step(in.data(), consumed, buffer.data() + size, produced, is_complete)) {
      return {{}, std::string("corrupt ") + name + " data"};
    }
    in = in.subspan(consumed);
    size += produced;
    if (is_complete) return {{buffer.data(), size}, {}};
    if (size < buffer.size()) {
      if (in.empty() || (consumed == 0 && produced == 0)) return {{}, std::string("truncated ") + name + " data"};
    } else if (buffer.size() >= kMaxBytes) {
      return {{}, std::string(name) + " data of more than 256 MiB"};
    } else {
      buffer.resize(std::min(buffer.size() * 2, kMaxBytes));
    }
  }
}

/// Adds what one block of snappy holds to the buffer, which has `size` bytes; says what is wrong, or nothing.
std::string append_snappy(std::vector<std::uint8_t>& buffer, std::size_t& size, std::span<const std::uint8_t> block) {
  const auto* data = reinterpret_cast<const char*>(block.data());
  std::size_t length = 0;
  if (snappy_uncompressed_length(data, block.size(), &length) != SNAPPY_OK) return "corrupt snappy data";
  // No snappy stream gains more than this: a length beyond it is a lie, and not worth its memory.
  constexpr std::size_t kMostGain = 64;
  if (length > block.size() * kMostGain) return "corrupt snappy data";
  if (length > kMaxBytes - size) return "snappy data of more than 256 MiB";
  if (buffer.size() < size + length) buffer.resize(size + length);
  if (snappy_uncompress(data, block.size(), reinterpret_cast<char*>(buffer.data() + size), &length) != SNAPPY_OK) {
    return "corrupt snappy data";
  }
  size += length;
  return {};
}

/// Kafka's Java client writes snappy as its library's stream, blocks behind their lengths after a magic number and two
/// versions; other clients write one plain block.
Result unsnap(std::vector<std::uint8_t>& buffer, std::span<const std::uint8_t> in) {
  static constexpr std::array<std::uint8_t, 8> kMagic{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
  constexpr std::size_t kVersions = 8;
  std::size_t size = 0;
  std::string error;
  if (in.size() < kMagic.size() || !std::equal(kMagic.begin(), kMagic.end(), in.begin())) {
    error = append_snappy(buffer, size, in);
  } else {
    ByteReader blocks(in.subspan(kMagic.size()));
    blocks.bytes(kVersions);
    while (error.empty() && blocks.ok() && blocks.remaining() > 0) {
      const auto block = blocks.bytes(blocks.big_endian<std::uint32_t>());
      if (blocks.ok()) error = append_snappy(buffer, size, block);
    }
    if (error.empty() && !blocks.ok()) error = "truncated snappy data";
  }
  if (!error.empty()) return {{}, std::move(error)};
  return {{buffer.data(), size}, {}};
}

}  // namespace

struct Decompressor::Contexts {
  Contexts() : zstd(ZSTD_createDCtx()) {
    LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION);
    constexpr int kGzipOnly = 16;
    inflateInit2(&gzip, kGzipOnly + MAX_WBITS);
  }
  ~Contexts() {
    LZ4F_freeDecompressionContext(lz4);
    ZSTD_freeDCtx(zstd);
    inflateEnd(&gzip);
  }
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;

  LZ4F_dctx* lz4 = nullptr;
  ZSTD_DCtx* zstd = nullptr;
  z_stream gzip{};
};

Decompressor::Decompressor() : contexts_(std::make_unique<Contexts>()) {}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

Result Decompressor::decompress(Codec codec, std::span<const std::uint8_t> compressed) {
  switch (codec) {
    case Codec::none:
      return {compressed, {}};
    case Codec::lz4:
      LZ4F_resetDecompressionContext(contexts_->lz4);
      return drive(buffer_, compressed, "lz4",
                   [&](const void* in, std::size_t& consumed, void* out, std::size_t& produced, bool& is_complete) {
                     const std::size_t hint = LZ4F_decompress(contexts_->lz4, out, &produced, in, &consumed, nullptr);
                     is_complete = hint == 0;
                     return LZ4F_isError(hint) == 0;
                   });
    case Codec::zstd:
      ZSTD_DCtx_reset(contexts_->zstd, ZSTD_reset_session_only);
      return drive(buffer_, compressed, "zstd",
                   [&](const void* in, std::size_t& consumed, void* out, std::size_t& produced, bool& is_complete) {
                     ZSTD_inBuffer input{in, consumed, 0};
                     ZSTD_outBuffer output{out, produced, 0};
                     const std::size_t hint = ZSTD_decompressStream(contexts_->zstd, &output, &input);
                     consumed = input.pos;
                     produced = output.pos;
                     is_complete = hint == 0;
                     return ZSTD_isError(hint) == 0;
                   });
    case Codec::gzip:
      inflateReset(&contexts_->gzip);
      return drive(buffer_, compressed, "gzip",
                   [&](const void* in, std::size_t& consumed, void* out, std::size_t& produced, bool& is_complete) {
                     z_stream& stream = contexts_->gzip;
                     stream.next_in = static_cast<z_const Bytef*>(const_cast<void*>(in));  // zlib does not write to it
                     stream.avail_in = static_cast<uInt>(consumed);
                     stream.next_out = static_cast<Bytef*>(out);
                     stream.avail_out = static_cast<uInt>(produced);
                     const int result = inflate(&stream, Z_NO_FLUSH);
                     consumed -= stream.avail_in;
                     produced -= stream.avail_out;
                     is_complete = result == Z_STREAM_END;
                     return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
                   });
    case Codec::snappy:
      return unsnap(buffer_, compressed);
  }
  return {{}, "unknown codec " + std::to_string(static_cast<int>(codec))};
}

}  // namespace livetape::kernel
