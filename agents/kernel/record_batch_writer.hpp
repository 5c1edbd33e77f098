#pragma once

#include <lz4frame.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "batch_memory.hpp"
#include "record_batch.hpp"

/// Kafka's record batches, message format 2, as a producer sends them.
namespace livetape::kernel {

/// A batch that is whole but for who sends it and when: one of `mark` and `stamp` says so.
class PackedBatch {
 public:
  PackedBatch(BatchMemory memory, std::size_t size, std::int32_t records)
      : memory_(std::move(memory)), size_(size), records_(records) {}

  [[nodiscard]] std::int32_t records() const noexcept { return records_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] Bytes bytes() const noexcept { return memory_.all().first(size_); }
  /// Makes it one of a producer's transaction, `base_sequence` being how many records it has sent before.
  void mark(std::int64_t producer_id, std::int16_t producer_epoch, std::int32_t base_sequence,
            std::int64_t timestamp_ms);
  /// Makes it one of no transaction, of a producer that the broker tells from no other.
  void stamp(std::int64_t timestamp_ms);

 private:
  void finish(std::int16_t attributes, std::int64_t producer_id, std::int16_t producer_epoch,
              std::int32_t base_sequence, std::int64_t timestamp_ms);

  BatchMemory memory_;
  std::size_t size_;
  std::int32_t records_;
};

/// Packs records for one partition of one topic into batches that every broker takes. They are compressed by LZ4 a
/// block at a time, while it is near: so a batch is as full as a broker takes it, and there are few.
class RecordBatchWriter {
 public:
  RecordBatchWriter();

  void append(std::optional<Bytes> key, std::optional<Bytes> value, std::span<const Header> headers = {});
  /// All that was appended since the last call.
  [[nodiscard]] std::vector<PackedBatch> take();

 private:
  [[nodiscard]] bool has_room_for(std::size_t record_bytes) const noexcept;
  void begin_batch(std::size_t bytes);
  void compress(std::size_t plain_bytes);
  void pack();

  struct FreeContext {
    void operator()(LZ4F_cctx* context) const noexcept { LZ4F_freeCompressionContext(context); }
  };
  std::unique_ptr<LZ4F_cctx, FreeContext> context_;
  std::vector<std::uint8_t> plain_;  // what is not compressed yet of the batch that grows, and room for more
  std::size_t plain_bytes_ = 0;
  std::shared_ptr<BatchPool> pool_ = std::make_shared<BatchPool>();
  std::optional<BatchMemory> memory_;  // of the batch that grows, once some of it is compressed
  std::size_t size_ = 0;               // of what is in it
  std::size_t compressed_bytes_ = 0;   // plain ones that went into it
  std::int32_t records_ = 0;           // of the batch that grows
  std::vector<PackedBatch> packed_;
};

}  // namespace livetape::kernel
