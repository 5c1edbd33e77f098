#include "refused_record.hpp"

#include <utility>

#include "livetape/big_endian.hpp"

namespace livetape::kernel {
namespace {

constexpr std::size_t kMaxRecordBytes = 900'000;  // brokers take 1 MiB by default, and a late trade is sent on as it is

}  // namespace

std::string copy_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

RefusedRecord refused(const Record& record, std::string reason) {
  RefusedRecord refused;
  if (record.key) refused.key = copy_of(*record.key);
  refused.has_value = record.value.has_value();
  if (record.value) refused.value = copy_of(*record.value);
  refused.offset = record.offset;
  refused.reason = std::move(reason);
  return refused;
}

const char* describe(DecodeError error) noexcept {
  switch (error) {
    case DecodeError::none:
      break;
    case DecodeError::corrupt:
      return "the Avro body is corrupt";
    case DecodeError::trailing_bytes:
      return "the Avro body has bytes left over";
    case DecodeError::decimal_out_of_range:
      return "price or size is out of range: at most 38 digits";
    case DecodeError::null_where_none_may_be:
      return "a field is null that must not be";
  }
  return "";
}

WireHeader read_wire_header(const Record& record) noexcept {
  if (!record.value) return {0, {}, "the record has no value"};
  if (record.value->size() + (record.key ? record.key->size() : 0) > kMaxRecordBytes) {
    return {0, {}, "the record is larger than 900000 bytes"};
  }
  const Bytes value = *record.value;
  constexpr std::size_t kMagicBytes = 1;
  constexpr std::size_t kBytes = kMagicBytes + sizeof(std::int32_t);
  if (value.size() < kBytes || value[0] != 0) return {0, {}, "the value has no wire header"};
  return {big_endian_word<std::int32_t>(value.data() + kMagicBytes), value.subspan(kBytes), nullptr};
}

bool is_ahead_of_log(const Record& record, std::int64_t time_ns, std::int64_t max_ahead_ns) noexcept {
  constexpr Int128 kNsPerMs = 1'000'000;
  return record.appended_ms >= 0 && time_ns - kNsPerMs * record.appended_ms > max_ahead_ns;
}

bool is_far_ahead_of_log(const Record& record, std::int64_t event_time_ns) noexcept {
  constexpr std::int64_t kDayNs = 86'400'000'000'000;
  return is_ahead_of_log(record, event_time_ns, kDayNs);
}

}  // namespace livetape::kernel
