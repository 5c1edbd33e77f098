#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "decode_plan.hpp"
#include "livetape/int128.hpp"
#include "record_batch.hpp"

/// What comes before a record is decoded, and what becomes of one that cannot be.
namespace livetape::kernel {

/// A record as it came that could not be taken.
struct RefusedRecord {
  std::optional<std::string> key;
  std::string value;
  bool has_value = true;
  std::int64_t offset = 0;
  std::string reason;  // empty for late trades
};

/// The Confluent wire header of a record, and what is behind it.
struct WireHeader {
  std::int32_t schema_id = 0;
  Bytes body{};
  const char* flaw = nullptr;  // why there is none
};

[[nodiscard]] std::string copy_of(Bytes bytes);
[[nodiscard]] RefusedRecord refused(const Record& record, std::string reason);
[[nodiscard]] const char* describe(DecodeError error) noexcept;
[[nodiscard]] WireHeader read_wire_header(const Record& record) noexcept;
/// Whether a time is further than this ahead of when its record came to the log, where the log tells.
[[nodiscard]] bool is_ahead_of_log(const Record& record, std::int64_t time_ns, std::int64_t max_ahead_ns) noexcept;
inline constexpr const char* kFarAhead = "event time is more than a day ahead of when the record came to the log";
/// The same for a trade or a quote, which makes all that comes after it late: a day, for a broker's clock that is set
/// back must cost none. A clock's time is held closer, since the next one makes up for it.
[[nodiscard]] bool is_far_ahead_of_log(const Record& record, std::int64_t event_time_ns) noexcept;

}  // namespace livetape::kernel
