#include "decompress.hpp"

#include <lz4frame.h>
#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <utility>

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

}  // namespace

struct Decompressor::Contexts {
  Contexts() : zstd(ZSTD_createDCtx()) { LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION); }
  ~Contexts() {
    LZ4F_freeDecompressionContext(lz4);
    ZSTD_freeDCtx(zstd);
  }
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;

  LZ4F_dctx* lz4 = nullptr;
  ZSTD_DCtx* zstd = nullptr;
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
      return {{}, "codec gzip is refused; supported are none, lz4 and zstd"};
    case Codec::snappy:
      return {{}, "codec snappy is refused; supported are none, lz4 and zstd"};
  }
  return {{}, "unknown codec " + std::to_string(static_cast<int>(codec))};
}

}  // namespace livetape::kernel
