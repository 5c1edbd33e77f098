#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/instruments.hpp"
#include "core/schema_ids.hpp"
#include "core/trade.hpp"
#include "livetape/avro_writer.hpp"

namespace livetape::bridge {

/// Writes messages of one venue's session as records: trade.avsc, clock.avsc, gap.avsc, quote.avsc and
/// candle.avsc behind the wire header.
class RecordEncoder {
 public:
  RecordEncoder(std::shared_ptr<const Instruments> instruments, std::string session_hex, SchemaIds schema_ids);

  /// The record's value, valid until the next call.
  [[nodiscard]] std::span<const std::uint8_t> encode(const Message& message) noexcept;
  /// `venue:INSTRUMENT` of a trade, a gap, a quote and a candle, `venue` of a clock; `venue:*` of a gap of any
  /// instrument.
  [[nodiscard]] std::string_view key(const Message& message) const noexcept;

 private:
  static constexpr std::size_t kMaxBytes = 1024;  // a key of the longest, and twice as much for everything else

  [[nodiscard]] AvroWriter begin(std::int32_t schema_id) noexcept;
  [[nodiscard]] std::span<const std::uint8_t> finish(AvroWriter& out, const Message& message) const noexcept;
  [[nodiscard]] std::span<const std::uint8_t> encode_trade(const Message& message) noexcept;
  [[nodiscard]] std::span<const std::uint8_t> encode_clock(const Message& message) noexcept;
  [[nodiscard]] std::span<const std::uint8_t> encode_gap(const Message& message) noexcept;
  [[nodiscard]] std::span<const std::uint8_t> encode_quote(const Message& message) noexcept;
  [[nodiscard]] std::span<const std::uint8_t> encode_candle(const Message& message) noexcept;

  std::shared_ptr<const Instruments> instruments_;
  std::string session_hex_;
  SchemaIds schema_ids_;
  std::array<std::uint8_t, kMaxBytes> buffer_{};
};

/// The event time of a record of trade.avsc, in UTC nanoseconds; none where it ends before that.
[[nodiscard]] std::optional<std::int64_t> trade_time_ns_in(std::span<const std::uint8_t> value) noexcept;

/// Bytes as lower-case hexadecimal digits.
[[nodiscard]] std::string as_hex(std::span<const unsigned char> bytes);

}  // namespace livetape::bridge
