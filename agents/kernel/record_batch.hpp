#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "byte_reader.hpp"
#include "decompress.hpp"

/// Kafka's record batches, message format 2 ("Record Batch" of the protocol guide), as a fetch brings them.
namespace livetape::kernel {

/// A transaction that a read_committed fetch says was aborted: its producer, and the offset of its first record.
struct AbortedTransaction {
  std::int64_t producer_id;
  std::int64_t first_offset;
};

struct Header {
  std::string_view key;
  std::optional<Bytes> value;
};

/// One record; its bytes are valid until the next batch is read.
struct Record {
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  const std::uint8_t* readable_end = nullptr;  // of the memory that its bytes are in
  std::int64_t appended_ms = -1;               // when the log took it; -1 where it does not say
};

/// A batch that cannot be read, as it came.
struct DamagedBatch {
  std::int64_t first_offset;
  Bytes bytes;
};

/// The offset behind the last whole batch of a record set, or before it where its end cannot be told, as
/// `RecordSetReader` finds it; `start_offset` where there is none, or that is behind it.
[[nodiscard]] std::int64_t end_of(Bytes record_set, std::int64_t start_offset) noexcept;

/// Walks the records of a record set: checks each batch's CRC, decompresses it, and passes over control batches and
/// aborted transactions. A partial batch at the end, which a broker may send, ends the walk without an error.
class RecordSetReader {
 public:
  /// `start_offset` is where the fetch was asked to begin, if anywhere: its first batch may begin before.
  RecordSetReader(Bytes record_set, std::vector<AbortedTransaction> aborted, Decompressor& decompressor,
                  std::int64_t start_offset = std::numeric_limits<std::int64_t>::max());

  /// The next record, or null at the end of the set or at a corrupt batch; then `error` tells which.
  [[nodiscard]] const Record* next(bool with_headers = false) {
    return next_into(record_, with_headers) ? &record_ : nullptr;
  }
  /// The same into a place of the caller's; false where there is none.
  [[nodiscard]] bool next_into(Record& record, bool with_headers = false);
  /// Headers of the last record, when they were asked for.
  [[nodiscard]] const std::vector<Header>& headers() const noexcept { return headers_; }
  /// Whether the next record is in another batch: reading it ends the life of the bytes of all records so far.
  [[nodiscard]] bool is_at_batch_end() const noexcept { return records_left_ == 0; }

  /// Offset behind all that was read or passed over, -1 before the first batch; at a batch that can be passed over, the
  /// batch's first.
  [[nodiscard]] std::int64_t next_offset() const noexcept { return next_offset_; }
  /// What is wrong with the batch behind that, or nothing.
  [[nodiscard]] const std::string& error() const noexcept { return error_; }
  /// Goes on behind the batch that `error` is about, and gives that batch; nothing when its end cannot be told.
  [[nodiscard]] std::optional<DamagedBatch> pass_over();

 private:
  bool open_batch();
  bool find_end(Bytes batch, ByteReader behind, bool is_sound);
  bool read_usual(Record& record);
  bool read_record(Record& record, bool with_headers);
  void note_aborted(std::int64_t last_offset);
  void end_transaction(Bytes records, std::int64_t producer_id);
  bool corrupt(std::string reason);

  ByteReader set_;
  std::int64_t start_offset_;
  Bytes batch_{};                            // all of the batch that is being read; empty while its end is not known
  std::vector<AbortedTransaction> aborted_;  // by first offset
  std::size_t next_aborted_ = 0;
  std::unordered_set<std::int64_t> aborted_producers_;
  Decompressor& decompressor_;

  ByteReader records_{Bytes{}};
  const std::uint8_t* readable_end_ = nullptr;
  std::int32_t records_left_ = 0;
  std::int64_t base_offset_ = 0;
  std::int64_t batch_end_ = 0;
  std::int64_t base_timestamp_ms_ = 0;
  std::int64_t log_append_time_ms_ = -1;
  std::int64_t next_offset_ = -1;
  Record record_;
  std::vector<Header> headers_;
  std::string error_;
};

}  // namespace livetape::kernel
