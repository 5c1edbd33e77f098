#include "bar_store.hpp"

#include <cstring>
#include <memory>
#include <new>

#include "bar_state.hpp"
#include "prefetch.hpp"

namespace livetape::kernel {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{128} << 10;
constexpr std::align_val_t kChunkAlignment{kChunkBytes};
constexpr std::size_t kAhead = 4;  // bars that are taken soon are brought near
using Size = std::uint16_t;        // of a sealed bar: before its bytes

}  // namespace

BarStore::~BarStore() {
  for (Chunk* chunk : chunks_) operator delete(chunk, kChunkAlignment);
}

Bar& BarStore::take() {
  if (!free_.empty()) {
    Bar& bar = *free_.back();
    free_.pop_back();
    if (free_.size() >= kAhead) prefetch_object(free_[free_.size() - kAhead]);
    bar = Bar{};
    return bar;
  }
  return bars_.make();
}

BarStore::Sealed BarStore::seal(Bytes text) {
  const std::size_t needed = sizeof(Size) + text.size();
  if (chunk_ == nullptr || chunk_->used + needed > kChunkBytes) begin_chunk();
  std::uint8_t* const at = reinterpret_cast<std::uint8_t*>(chunk_) + chunk_->used;
  const auto size = static_cast<Size>(text.size());
  std::memcpy(at, &size, sizeof size);
  std::memcpy(at + sizeof size, text.data(), text.size());
  chunk_->used += needed;
  ++chunk_->sealed;
  return at;
}

Bar BarStore::read(Sealed sealed, std::int64_t start_ns) {
  Size size = 0;
  std::memcpy(&size, sealed, sizeof size);
  ByteReader in(Bytes(sealed + sizeof size, size));
  return read_bar_state(in, start_ns, kValueVersion);
}

void BarStore::drop(Sealed sealed) {
  Chunk& chunk = chunk_of(sealed);
  if (--chunk.sealed == 0 && &chunk != chunk_) free_chunks_.push_back(&chunk);
}

void BarStore::begin_chunk() {
  if (chunk_ != nullptr && chunk_->sealed == 0) free_chunks_.push_back(chunk_);
  if (free_chunks_.empty()) {
    chunks_.push_back(static_cast<Chunk*>(operator new(kChunkBytes, kChunkAlignment)));
    free_chunks_.push_back(chunks_.back());
  }
  chunk_ = std::construct_at(free_chunks_.back(), Chunk{sizeof(Chunk), 0});
  free_chunks_.pop_back();
}

// NOLINTNEXTLINE(readability-non-const-parameter): what it gives is not const
BarStore::Chunk& BarStore::chunk_of(Sealed sealed) noexcept {
  const std::size_t place = reinterpret_cast<std::uintptr_t>(sealed) % kChunkBytes;
  return *reinterpret_cast<Chunk*>(sealed - place);
}

}  // namespace livetape::kernel
