#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crc32c.hpp"
#include "expect.hpp"
#include "livetape/avro_writer.hpp"
#include "partition_fold.hpp"

/// What the fuzz targets share.
namespace livetape::kernel::fuzz {

using livetape::fuzz::expect;

/// Reads every byte, so that the sanitizer sees one that is not there.
inline void touch(Bytes bytes) {
  static volatile unsigned sum = 0;
  for (const std::uint8_t byte : bytes) sum = sum + byte;
}

// ---- Kafka's record batches, message format 2

constexpr std::size_t kBeforeLength = 12;
constexpr std::size_t kHeaderBytes = 61;
constexpr std::size_t kCrcAt = 17;
constexpr std::size_t kLastOffsetDeltaAt = 23;

inline std::uint32_t read_be32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

/// Calls `visit(offset in the set, size)` for each whole batch.
template <typename Visit>
void for_each_batch(Bytes set, Visit visit) {
  std::size_t at = 0;
  while (set.size() - at >= kHeaderBytes) {
    const std::size_t size = kBeforeLength + read_be32(set.data() + at + 8);
    if (size < kHeaderBytes || size > set.size() - at) return;
    visit(at, size);
    at += size;
  }
}

/// Makes every CRC fit its batch, else nothing behind the check would ever be reached. One that is 0 stays wrong.
inline void mend_crcs(std::vector<std::uint8_t>& set) {
  for_each_batch(set, [&](std::size_t at, std::size_t size) {
    std::uint8_t* crc = set.data() + at + kCrcAt;
    if (read_be32(crc) == 0) return;
    const std::uint32_t right = crc32c(Bytes(set).subspan(at + kCrcAt + 4, size - kCrcAt - 4));
    for (int i = 0; i < 4; ++i) crc[i] = static_cast<std::uint8_t>(right >> (24 - 8 * i));
  });
}

/// Makes each batch begin where the one before it ends, as in any log that was not compacted, and its CRC fit it.
inline void lay_in_line(std::vector<std::uint8_t>& set) {
  std::uint64_t next_offset = 0;
  for_each_batch(set, [&](std::size_t at, std::size_t) {
    std::uint8_t* base = set.data() + at;
    for (int i = 0; i < 8; ++i) base[i] = static_cast<std::uint8_t>(next_offset >> (56 - 8 * i));
    next_offset += std::uint64_t{read_be32(base + kLastOffsetDeltaAt)} + 1;
    base[kCrcAt] |= 1;
  });
  mend_crcs(set);
}

/// One uncompressed batch.
class BatchWriter {
 public:
  explicit BatchWriter(std::int64_t base_offset = 0) : base_offset_(base_offset) {}

  void add(Bytes key, std::optional<Bytes> value) {
    std::vector<std::uint8_t> record{0};  // attributes
    varint(record, 0);                    // timestamp
    varint(record, count_++);
    varint(record, static_cast<std::int64_t>(key.size()));
    record.insert(record.end(), key.begin(), key.end());
    varint(record, value ? static_cast<std::int64_t>(value->size()) : -1);
    if (value) record.insert(record.end(), value->begin(), value->end());
    varint(record, 0);  // headers
    varint(records_, static_cast<std::int64_t>(record.size()));
    records_.insert(records_.end(), record.begin(), record.end());
  }

  [[nodiscard]] std::vector<std::uint8_t> batch() const {
    std::vector<std::uint8_t> out;
    number(out, static_cast<std::uint64_t>(base_offset_), 8);
    number(out, kHeaderBytes - kBeforeLength + records_.size(), 4);
    number(out, 0, 4);  // leader epoch
    number(out, 2, 1);  // magic
    number(out, 1, 4);  // CRC, mended below
    number(out, 0, 2);  // attributes
    number(out, static_cast<std::uint64_t>(count_ - 1), 4);
    for (int i = 0; i < 2; ++i) number(out, 0, 8);                // timestamps
    for (const int width : {8, 2, 4}) number(out, ~0ULL, width);  // no idempotent producer
    number(out, static_cast<std::uint64_t>(count_), 4);
    out.insert(out.end(), records_.begin(), records_.end());
    mend_crcs(out);
    return out;
  }

  static Bytes of(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

 private:
  static void number(std::vector<std::uint8_t>& out, std::uint64_t value, int width) {
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
  static void varint(std::vector<std::uint8_t>& out, std::int64_t value) {
    auto zigzag = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
    for (; zigzag >= 0x80; zigzag >>= 7) out.push_back(static_cast<std::uint8_t>(zigzag | 0x80));
    out.push_back(static_cast<std::uint8_t>(zigzag));
  }

  std::int64_t base_offset_;
  std::vector<std::uint8_t> records_;
  std::int64_t count_ = 0;
};

// ---- a fold

/// As decode_plan.py compiles trade.avsc.
inline DecodePlan trade_plan() {
  using Code = Step::Code;
  const auto symbol = [](Slot slot) { return Step{Code::symbol, slot, 0, {0, 1, 2}, {}}; };
  const auto or_null = [](Step step) { return Step{Code::union_of, {}, 0, {}, {{Code::skip_fixed}, std::move(step)}}; };
  return DecodePlan{RecordKind::trade,
                    {{Code::text, Slot::venue},
                     {Code::text, Slot::instrument},
                     {Code::text, Slot::trade_id},
                     or_null({Code::number, Slot::trade_seq}),
                     {Code::decimal, Slot::price},
                     {Code::decimal, Slot::size},
                     symbol(Slot::aggressor),
                     {Code::number, Slot::event_time_ns},
                     {Code::number, Slot::receive_time_ns},
                     symbol(Slot::action),
                     or_null({Code::text, Slot::refers_to}),
                     {Code::texts, Slot::conditions},
                     {Code::skip_varint},
                     {Code::skip_bytes},
                     {Code::skip_varint},
                     or_null({Code::skip_varint}),
                     or_null({Code::skip_varint})}};
}

/// As decode_plan.py compiles the first version of clock.avsc.
inline DecodePlan clock_plan() {
  using Code = Step::Code;
  return DecodePlan{
      RecordKind::clock,
      {{Code::text, Slot::venue}, {Code::number, Slot::event_time_ns}, {Code::skip_bytes}, {Code::skip_varint}}};
}

/// The ids of the seeds' records: take_seeds.py has the registry give these.
inline constexpr std::int32_t kClockId = 2;
inline constexpr std::int32_t kTradeId = 5;

inline constexpr std::int64_t kSecond = 1'000'000'000;

/// The value of a trade of one for one; its id is its time.
inline std::vector<std::uint8_t> trade_value(std::string_view venue, std::string_view instrument,
                                             std::int64_t time_ns) {
  constexpr Int128 kOne = 1'000'000'000'000'000'000;
  std::vector<std::uint8_t> value(venue.size() + instrument.size() + 200);
  AvroWriter out(value);
  out.write_wire_header(kTradeId);
  out.write_string(venue);
  out.write_string(instrument);
  out.write_string(std::to_string(time_ns));
  out.write_long(0);  // no trade_seq
  out.write_decimal(kOne);
  out.write_decimal(kOne);
  out.write_long(0);  // aggressor
  out.write_long(time_ns);
  out.write_long(time_ns);
  for (int i = 0; i < 4; ++i) out.write_long(0);  // action, refers_to, conditions, source
  for (int i = 0; i < 4; ++i) out.write_long(0);  // bridge session and sequence, times of publication and of the card
  value.resize(out.written().size());
  return value;
}

inline std::vector<std::uint8_t> clock_value(std::string_view venue, std::int64_t time_ns) {
  std::vector<std::uint8_t> value(venue.size() + 50);
  AvroWriter out(value);
  out.write_wire_header(kClockId);
  out.write_string(venue);
  out.write_long(time_ns);
  for (int i = 0; i < 2; ++i) out.write_long(0);  // bridge session and sequence
  value.resize(out.written().size());
  return value;
}

/// A partition's fold of the usual intervals and one that overlaps, with a short memory, so that a small input sees
/// bars come and go; of venues that number their trades without a hole, or of venues that do not.
inline std::unique_ptr<PartitionFold> make_fold(bool has_contiguous_ids) {
  auto schemas = std::make_shared<WriterSchemas>();
  schemas->add(kTradeId, trade_plan());
  schemas->add(kClockId, clock_plan());
  std::vector<Interval> intervals;
  for (const auto& [name, seconds] :
       {std::pair{"1s", 1}, {"5s", 5}, {"1m", 60}, {"5m", 300}, {"15m", 900}, {"1h", 3600}, {"1d", 86400}}) {
    intervals.emplace_back(name, seconds * kSecond, seconds * kSecond);
  }
  intervals.emplace_back("10s each 5s", 10 * kSecond, 5 * kSecond);
  FoldConfig config{make_levels(intervals), kSecond, kSecond, 90 * kSecond, 60 * kSecond};
  config.other_venues.has_contiguous_ids = has_contiguous_ids;
  return std::make_unique<PartitionFold>(std::move(config), std::move(schemas), Origin{3, "epoch", 1, 13, 14});
}

}  // namespace livetape::kernel::fuzz
