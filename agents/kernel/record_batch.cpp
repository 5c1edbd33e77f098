#include "record_batch.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "crc32c.hpp"
#include "unchecked_reader.hpp"

namespace livetape::kernel {
namespace {

constexpr std::size_t kBeforeLength = 12;       // base offset and batch length
constexpr std::size_t kHeaderAfterLength = 49;  // everything from the leader epoch to the record count
constexpr std::size_t kCrcFrom = 9;             // leader epoch, magic and the CRC itself are not covered
constexpr std::size_t kLastOffsetDeltaAt = 11;  // behind the length, as these all
constexpr std::size_t kCountAt = 45;
constexpr std::int8_t kMagic = 2;
constexpr std::uint16_t kCodecMask = 0x07;
constexpr std::uint16_t kLogAppendTime = 0x08;
constexpr std::uint16_t kTransactional = 0x10;
constexpr std::uint16_t kControl = 0x20;

/// A time of day that a producer made up may be any number: the sum wraps around.
std::int64_t sum(std::int64_t base, std::int64_t delta) noexcept {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(delta));
}

bool is_sound_batch(Bytes batch) {
  ByteReader in(batch);
  in.bytes(4);  // leader epoch
  const auto magic = in.big_endian<std::int8_t>();
  return magic == kMagic && in.big_endian<std::uint32_t>() == crc32c(batch.subspan(kCrcFrom));
}

/// What a batch says of its offsets, without a look at its CRC.
struct Offsets {
  std::int32_t last_delta;
  std::int32_t count;

  /// As what a producer sends has none: where the CRC does not fit, this is what speaks for both.
  [[nodiscard]] bool have_no_hole() const noexcept { return last_delta >= 0 && std::int64_t{count} - 1 == last_delta; }
};

Offsets offsets_of(Bytes batch) noexcept {
  ByteReader in(batch.subspan(kLastOffsetDeltaAt));
  const auto last_delta = in.big_endian<std::int32_t>();
  in.bytes(kCountAt - kLastOffsetDeltaAt - sizeof(std::int32_t));
  return {last_delta, in.big_endian<std::int32_t>()};
}

bool begins_with_sound_batch(ByteReader set) {
  set.bytes(sizeof(std::int64_t));
  const auto length = set.big_endian<std::int32_t>();
  if (length < static_cast<std::int32_t>(kHeaderAfterLength)) return false;
  const Bytes batch = set.bytes(static_cast<std::size_t>(length));
  return set.ok() && is_sound_batch(batch);
}

[[gnu::always_inline]] inline std::optional<Bytes> nullable_bytes(ByteReader& in) {
  const std::int64_t length = in.varlong();
  if (length < 0) return std::nullopt;
  return in.bytes(static_cast<std::size_t>(length));
}

}  // namespace

std::int64_t end_of(Bytes record_set, std::int64_t start_offset) noexcept {
  std::int64_t before = start_offset;
  std::int64_t end = start_offset;
  Bytes last{};
  for (ByteReader set(record_set); set.remaining() >= kBeforeLength;) {
    const auto base_offset = set.big_endian<std::int64_t>();
    const auto length = set.big_endian<std::int32_t>();
    if (length < static_cast<std::int32_t>(kHeaderAfterLength)) break;
    const Bytes batch = set.bytes(static_cast<std::size_t>(length));
    if (!set.ok()) break;
    last = batch;
    before = std::exchange(end, sum(base_offset, std::int64_t{offsets_of(batch).last_delta} + 1));
  }
  const bool is_told = last.empty() || is_sound_batch(last) || offsets_of(last).have_no_hole();
  return std::max(start_offset, is_told ? end : before);
}

RecordSetReader::RecordSetReader(Bytes record_set, std::vector<AbortedTransaction> aborted, Decompressor& decompressor,
                                 std::int64_t start_offset)
    : set_(record_set), start_offset_(start_offset), aborted_(std::move(aborted)), decompressor_(decompressor) {
  std::ranges::sort(aborted_, {}, &AbortedTransaction::first_offset);
}

bool RecordSetReader::next_into(Record& record, bool with_headers) {
  while (records_left_ == 0) {
    if (!error_.empty() || !open_batch()) return false;
  }
  const bool is_read = !with_headers && read_usual(record);
  if (!is_read && !read_record(record, with_headers)) return false;
  if (--records_left_ == 0) next_offset_ = batch_end_;
  return true;
}

bool RecordSetReader::open_batch() {
  if (set_.remaining() < kBeforeLength) return false;
  ByteReader behind = set_;
  ByteReader whole = set_;
  batch_ = {};
  base_offset_ = behind.big_endian<std::int64_t>();
  const auto length = behind.big_endian<std::int32_t>();
  if (length < static_cast<std::int32_t>(kHeaderAfterLength)) {
    return corrupt("batch length " + std::to_string(length) + " is too short");
  }
  const Bytes batch = behind.bytes(static_cast<std::size_t>(length));
  if (!behind.ok()) return false;  // the rest of this batch comes with the next fetch

  ByteReader in(batch);
  in.bytes(4);  // leader epoch
  const auto magic = in.big_endian<std::int8_t>();
  if (magic != kMagic) return corrupt("message format " + std::to_string(magic) + ", only 2 is supported");
  in.bytes(4);  // CRC
  const bool is_sound = is_sound_batch(batch);
  if (!find_end(batch, behind, is_sound)) return corrupt("its offsets do not fit between its neighbours'");
  next_offset_ = base_offset_;
  batch_ = whole.bytes(kBeforeLength + batch.size());
  set_ = behind;
  if (!is_sound) return corrupt("CRC mismatch");
  const auto attributes = in.big_endian<std::uint16_t>();
  in.bytes(4);  // last offset delta, which `find_end` has read
  base_timestamp_ms_ = in.big_endian<std::int64_t>();
  const auto max_timestamp_ms = in.big_endian<std::int64_t>();
  const auto producer_id = in.big_endian<std::int64_t>();
  in.bytes(6);  // producer epoch and base sequence
  const auto count = in.big_endian<std::int32_t>();
  const Bytes payload = in.bytes(in.remaining());
  if (count < 0) return corrupt("negative record count");
  log_append_time_ms_ = (attributes & kLogAppendTime) != 0 ? max_timestamp_ms : -1;

  note_aborted(batch_end_ - 1);
  const bool is_control = (attributes & kControl) != 0;
  if (is_control) end_transaction(payload, producer_id);
  const bool is_aborted = (attributes & kTransactional) != 0 && aborted_producers_.contains(producer_id);
  if (is_control || is_aborted || count == 0) {
    next_offset_ = batch_end_;
    return true;
  }
  auto [data, error, readable_end] = decompressor_.decompress(static_cast<Codec>(attributes & kCodecMask), payload);
  if (!error.empty()) return corrupt(std::move(error));
  readable_end_ = readable_end != nullptr ? readable_end : set_.end();
  records_ = ByteReader(data);
  records_left_ = count;
  return true;
}

/// Where the batch's offsets end; false when that cannot be told. No CRC covers a base offset: where two batches
/// overlap, the one that begins where it is expected to is believed. In a batch whose CRC does not fit nothing can be
/// relied on, its length included: then the next batch must say so as well, or be sound itself.
bool RecordSetReader::find_end(Bytes batch, ByteReader behind, bool is_sound) {
  constexpr auto kNoOffset = std::numeric_limits<std::int64_t>::max();
  const Offsets offsets = offsets_of(batch);
  const std::int64_t last_delta = offsets.last_delta;
  const bool is_last = behind.remaining() < sizeof(std::int64_t);
  const std::int64_t next_base = is_last ? kNoOffset : ByteReader(behind).big_endian<std::int64_t>();
  if (base_offset_ < 0 || base_offset_ < next_offset_) return false;
  const bool has_end = last_delta >= 0 && last_delta < kNoOffset - base_offset_;
  const std::int64_t own_end = has_end ? base_offset_ + last_delta + 1 : kNoOffset;
  if (is_sound) {
    const bool is_expected = base_offset_ <= std::max(next_offset_, start_offset_);
    batch_end_ = own_end;
    return has_end && (is_expected || own_end <= next_base);
  }
  if (base_offset_ >= next_base) return false;
  const bool agrees = has_end && offsets.have_no_hole() && (is_last || own_end == next_base);
  batch_end_ = agrees ? own_end : next_base;
  return agrees || (!is_last && begins_with_sound_batch(behind));
}

/// Reads a record that is as nearly all are; false, with nothing done, where it is not.
bool RecordSetReader::read_usual(Record& record) {
  constexpr std::ptrdiff_t kMost = UncheckedReader::kMargin;
  if (readable_end_ - records_.at() < kMost) return false;
  UncheckedReader in(records_.at());
  std::size_t length = 0;
  if (!in.length(length)) return false;
  const auto bytes = static_cast<std::ptrdiff_t>(length);
  if (readable_end_ - in.at() - bytes < kMost || bytes > records_.end() - in.at()) return false;
  const std::uint8_t* const end = in.at() + bytes;
  in.byte();  // attributes, unused
  std::int64_t timestamp_delta_ms = 0;
  std::int64_t offset_delta = 0;
  std::string_view key;
  std::size_t value_bytes = 0;
  const bool is_usual =
      in.varlong(timestamp_delta_ms) && in.varlong(offset_delta) && in.short_text(key) && in.length(value_bytes);
  if (!is_usual || end - in.at() <= static_cast<std::ptrdiff_t>(value_bytes)) return false;  // headers' count is left
  const std::int64_t offset = sum(base_offset_, offset_delta);
  if (offset < next_offset_ || offset >= batch_end_) return false;
  record.key.emplace(reinterpret_cast<const std::uint8_t*>(key.data()), key.size());
  record.value.emplace(in.at(), value_bytes);
  record.readable_end = readable_end_;
  record.offset = offset;
  record.appended_ms = log_append_time_ms_;
  record.timestamp_ms = log_append_time_ms_ >= 0 ? log_append_time_ms_ : sum(base_timestamp_ms_, timestamp_delta_ms);
  next_offset_ = offset + 1;
  records_.go_on_at(end);
  return true;
}

bool RecordSetReader::read_record(Record& record, bool with_headers) {
  const std::int64_t length = records_.varlong();
  if (!records_.ok() || length < 0) return corrupt("a record has no valid length");
  ByteReader in(records_.bytes(static_cast<std::size_t>(length)));
  in.bytes(1);  // attributes, unused
  const std::int64_t timestamp_delta_ms = in.varlong();
  const std::int64_t offset_delta = in.varlong();
  record.key = nullable_bytes(in);
  record.value = nullable_bytes(in);
  record.readable_end = readable_end_;
  if (!records_.ok() || !in.ok() || offset_delta < next_offset_ - base_offset_ ||
      offset_delta >= batch_end_ - base_offset_) {
    return corrupt("a record does not fit its batch");
  }
  record.offset = base_offset_ + offset_delta;
  record.appended_ms = log_append_time_ms_;
  record.timestamp_ms = log_append_time_ms_ >= 0 ? log_append_time_ms_ : sum(base_timestamp_ms_, timestamp_delta_ms);
  if (with_headers) {
    headers_.clear();
    for (std::int64_t left = in.varlong(); left > 0 && in.ok(); --left) {
      const std::string_view key = in.prefixed_text();
      headers_.push_back({key, nullable_bytes(in)});
    }
    if (!in.ok()) return corrupt("a record's headers do not fit it");
  }
  next_offset_ = record.offset + 1;
  return true;
}

void RecordSetReader::note_aborted(std::int64_t last_offset) {
  for (; next_aborted_ < aborted_.size() && aborted_[next_aborted_].first_offset <= last_offset; ++next_aborted_) {
    aborted_producers_.insert(aborted_[next_aborted_].producer_id);
  }
}

/// A control record's key is its version and its type: 0 aborts and 1 commits what its producer wrote before it.
void RecordSetReader::end_transaction(Bytes records, std::int64_t producer_id) {
  ByteReader in(records);
  in.varlong();  // length
  in.bytes(1);   // attributes
  in.varlong();  // timestamp
  in.varlong();  // offset
  in.varlong();  // key length
  in.big_endian<std::int16_t>();
  const auto type = in.big_endian<std::int16_t>();
  if (in.ok() && type == 0) aborted_producers_.erase(producer_id);
}

std::optional<DamagedBatch> RecordSetReader::pass_over() {
  if (error_.empty() || batch_.empty()) return std::nullopt;
  error_.clear();
  next_offset_ = batch_end_;
  return DamagedBatch{base_offset_, std::exchange(batch_, {})};
}

bool RecordSetReader::corrupt(std::string reason) {
  error_ = std::move(reason);
  records_left_ = 0;
  return false;
}

}  // namespace livetape::kernel
