#include "publish/record.hpp"

#include <utility>

#include "livetape/avro_writer.hpp"

namespace livetape::bridge {
namespace {

// Branches of the unions, and the symbol of an enum that a trade of the stream always has.
constexpr std::int64_t kNull = 0;
constexpr std::int64_t kPresent = 1;
constexpr std::int64_t kSourceLive = 0;

/// An array: a block of so many items, if there are any, and an empty one.
void write_conditions(AvroWriter& out, std::span<const std::string_view> codes) noexcept {
  if (!codes.empty()) out.write_long(static_cast<std::int64_t>(codes.size()));
  for (const std::string_view code : codes) out.write_string(code);
  out.write_long(0);
}

}  // namespace

RecordEncoder::RecordEncoder(std::shared_ptr<const Instruments> instruments, std::string session_hex,
                             std::int32_t trade_schema_id, std::int32_t clock_schema_id)
    : instruments_(std::move(instruments)),
      session_hex_(std::move(session_hex)),
      trade_schema_id_(trade_schema_id),
      clock_schema_id_(clock_schema_id) {}

std::string_view RecordEncoder::key(const Message& message) const noexcept {
  return message.kind == Message::Kind::trade ? instruments_->key(message.trade.instrument) : instruments_->venue();
}

std::span<const std::uint8_t> RecordEncoder::encode(const Message& message) noexcept {
  return message.kind == Message::Kind::trade ? encode_trade(message) : encode_clock(message);
}

std::span<const std::uint8_t> RecordEncoder::encode_trade(const Message& message) noexcept {
  const Trade& trade = message.trade;
  AvroWriter out(buffer_);
  out.write_wire_header(trade_schema_id_);
  out.write_string(instruments_->venue());
  out.write_string(instruments_->name(trade.instrument));
  out.write_string(trade.id.view());
  out.write_long(trade.has_seq ? kPresent : kNull);
  if (trade.has_seq) out.write_long(trade.seq);
  out.write_decimal(trade.price);
  out.write_decimal(trade.size);
  out.write_long(static_cast<std::int64_t>(trade.aggressor));
  out.write_long(trade.event_time_ns);
  out.write_long(trade.receive_time_ns);
  out.write_long(static_cast<std::int64_t>(trade.action));
  out.write_long(trade.action == Action::trade ? kNull : kPresent);
  if (trade.action != Action::trade) out.write_string(trade.id.view());  // refers_to
  write_conditions(out, trade.conditions);
  out.write_long(kSourceLive);
  out.write_string(session_hex_);
  out.write_long(static_cast<std::int64_t>(message.sequence));
  return out.written();
}

std::span<const std::uint8_t> RecordEncoder::encode_clock(const Message& message) noexcept {
  AvroWriter out(buffer_);
  out.write_wire_header(clock_schema_id_);
  out.write_string(instruments_->venue());
  out.write_long(message.clock_time_ns);
  out.write_string(session_hex_);
  out.write_long(static_cast<std::int64_t>(message.sequence));
  return out.written();
}

std::string as_hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : bytes) hex += {kDigits[byte >> 4], kDigits[byte & 0xf]};
  return hex;
}

}  // namespace livetape::bridge
