#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bar.hpp"
#include "byte_reader.hpp"
#include "slabs.hpp"

namespace livetape::kernel {

/// The memory of a partition's bars. One that may change is a Bar, which stays where it is until it is given back; one
/// that is final and stored is sealed: its bytes, a quarter as many. So the bars that trades meet stay near, however
/// many are kept for what is late, and a busy worker takes the same few again and again.
class BarStore {
 public:
  /// The bytes of a sealed bar.
  using Sealed = std::uint8_t*;

  BarStore() = default;
  ~BarStore();
  BarStore(const BarStore&) = delete;
  BarStore& operator=(const BarStore&) = delete;

  /// A bar as it is when it is made.
  Bar& take();
  void give_back(Bar& bar) { free_.push_back(&bar); }

  /// Keeps a bar as `write_bar_state` writes it.
  Sealed seal(Bytes text);
  [[nodiscard]] static Bar read(Sealed sealed, std::int64_t start_ns);
  void drop(Sealed sealed);

 private:
  /// A stretch of memory that begins at a multiple of its size, so that what is in it finds it. Bars go in the order
  /// they came: one is soon used again as a whole.
  struct Chunk {
    std::size_t used;
    std::size_t sealed;  // how many of its bars are not dropped
  };

  void begin_chunk();
  static Chunk& chunk_of(Sealed sealed) noexcept;

  Slabs<Bar> bars_;
  std::vector<Bar*> free_;
  std::vector<Chunk*> chunks_;
  std::vector<Chunk*> free_chunks_;
  Chunk* chunk_ = nullptr;  // that grows
};

}  // namespace livetape::kernel
