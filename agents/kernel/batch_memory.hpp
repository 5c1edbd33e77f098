#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace livetape::kernel {

/// Some bytes of any content.
class Block {
 public:
  explicit Block(std::size_t size) : bytes_(std::make_unique_for_overwrite<std::uint8_t[]>(size)), size_(size) {}

  [[nodiscard]] std::span<std::uint8_t> all() const noexcept { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_;
};

/// Large blocks that are free, for one thread that packs batches and another that drops them. Without them each batch
/// of a busy flush is in memory that nobody has touched yet, and the kernel clears it page by page: two pages in five
/// that a worker asked for were those.
class BatchPool {
 public:
  static constexpr std::size_t kLargeBytes = std::size_t{64} << 10;

  /// The one that was free last, for as long as its pages may still be near.
  Block take(std::size_t size) {
    const std::scoped_lock lock(mutex_);
    for (std::size_t place = free_.size(); place-- > 0;) {
      if (free_[place].all().size() < size) continue;
      Block found = std::move(free_[place]);
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(place));
      return found;
    }
    return Block(size);
  }
  void give_back(Block block) {
    const std::scoped_lock lock(mutex_);
    free_.push_back(std::move(block));
  }

 private:
  std::mutex mutex_;
  std::vector<Block> free_;
};

/// The memory of one batch: of the pool where it is large.
class BatchMemory {
 public:
  BatchMemory(const std::shared_ptr<BatchPool>& pool, std::size_t size)
      : pool_(size < BatchPool::kLargeBytes ? nullptr : pool), block_(pool_ ? pool_->take(size) : Block(size)) {}
  BatchMemory(BatchMemory&&) noexcept = default;
  BatchMemory(const BatchMemory&) = delete;
  BatchMemory& operator=(const BatchMemory&) = delete;
  BatchMemory& operator=(BatchMemory&&) = delete;
  ~BatchMemory() {
    if (pool_) pool_->give_back(std::move(block_));
  }

  [[nodiscard]] std::span<std::uint8_t> all() const noexcept { return block_.all(); }

 private:
  std::shared_ptr<BatchPool> pool_;  // none once it was moved away
  Block block_;
};

}  // namespace livetape::kernel
