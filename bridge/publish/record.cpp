#include "publish/record.hpp"

#include <algorithm>
#include <utility>

namespace livetape::bridge {
namespace {

// Branches of the unions, and the symbol of an enum that a trade of the stream always has.
constexpr std::int64_t kNull = 0;
constexpr std::int64_t kPresent = 1;

/// An array: a block of so many items, if there are any, and an empty one.
void write_conditions(AvroWriter& out, std::span<const std::string_view> codes) noexcept {
  if (!codes.empty()) out.write_long(static_cast<std::int64_t>(codes.size()));
  for (const std::string_view code : codes) out.write_string(code);
  out.write_long(0);
}

void write_time_if_known(AvroWriter& out, std::int64_t time_ns) noexcept {
  out.write_long(time_ns != 0 ? kPresent : kNull);
  if (time_ns != 0) out.write_long(time_ns);
}

/// Reads Avro's binary encoding; 0 and nothing more once the bytes have ended.
class AvroReader {
 public:
  explicit AvroReader(std::span<const std::uint8_t> bytes) noexcept : rest_(bytes) {}

  std::int64_t read_long() noexcept {
    std::uint64_t zigzag = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return fail();
      const std::uint8_t byte = rest_.front();
      rest_ = rest_.subspan(1);
      zigzag |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return static_cast<std::int64_t>(zigzag >> 1) ^ -static_cast<std::int64_t>(zigzag & 1);
    }
    return fail();
  }

  void skip_bytes() noexcept {
    const std::int64_t size = read_long();
    if (size < 0 || static_cast<std::uint64_t>(size) > rest_.size()) {
      fail();
    } else {
      rest_ = rest_.subspan(static_cast<std::size_t>(size));
    }
  }

  [[nodiscard]] bool is_good() const noexcept { return is_good_; }

 private:
  std::int64_t fail() noexcept {
    is_good_ = false;
    rest_ = {};
    return 0;
  }

  std::span<const std::uint8_t> rest_;
  bool is_good_ = true;
};

/// With the numbers of the messages that are missing.
std::string reason_of(const Gap& gap) {
  return "messages " + std::to_string(gap.first_message) + " to " + std::to_string(gap.last_message) +
         " of the session are lost: " + std::string(gap.reason);
}

}  // namespace

RecordEncoder::RecordEncoder(std::shared_ptr<const Instruments> instruments, std::string session_hex,
                             SchemaIds schema_ids)
    : instruments_(std::move(instruments)), session_hex_(std::move(session_hex)), schema_ids_(schema_ids) {}

std::string_view RecordEncoder::key(const Message& message) const noexcept {
  switch (message.kind) {
    case Message::Kind::trade:
      return instruments_->key(message.trade.instrument);
    case Message::Kind::gap:
      return message.gap.is_of_any ? instruments_->any_key() : instruments_->key(message.gap.instrument);
    case Message::Kind::quote:
      return instruments_->key(message.quote.instrument);
    case Message::Kind::candle:
      return instruments_->key(message.candle.instrument);
    case Message::Kind::clock:
      break;
  }
  return instruments_->venue();
}

std::span<const std::uint8_t> RecordEncoder::encode(const Message& message) noexcept {
  switch (message.kind) {
    case Message::Kind::trade:
      return encode_trade(message);
    case Message::Kind::gap:
      return encode_gap(message);
    case Message::Kind::quote:
      return encode_quote(message);
    case Message::Kind::candle:
      return encode_candle(message);
    case Message::Kind::clock:
      break;
  }
  return encode_clock(message);
}

/// Every record begins with its venue.
AvroWriter RecordEncoder::begin(std::int32_t schema_id) noexcept {
  AvroWriter out(buffer_);
  out.write_wire_header(schema_id);
  out.write_string(instruments_->venue());
  return out;
}

/// And ends with the message's session and number.
std::span<const std::uint8_t> RecordEncoder::finish(AvroWriter& out, const Message& message) const noexcept {
  out.write_string(session_hex_);
  out.write_long(static_cast<std::int64_t>(message.sequence));
  return out.written();
}

std::span<const std::uint8_t> RecordEncoder::encode_trade(const Message& message) noexcept {
  const Trade& trade = message.trade;
  AvroWriter out = begin(schema_ids_.trade);
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
  out.write_long(static_cast<std::int64_t>(trade.source));
  (void)finish(out, message);
  write_time_if_known(out, trade.publish_time_ns);
  write_time_if_known(out, trade.hardware_time_ns);
  return out.written();
}

std::span<const std::uint8_t> RecordEncoder::encode_clock(const Message& message) noexcept {
  AvroWriter out = begin(schema_ids_.clock);
  out.write_long(message.clock_time_ns);
  return finish(out, message);
}

std::span<const std::uint8_t> RecordEncoder::encode_gap(const Message& message) noexcept {
  const Gap& gap = message.gap;
  AvroWriter out = begin(schema_ids_.gap);
  out.write_string(gap.is_of_any ? instruments_->any_name() : instruments_->name(gap.instrument));
  for (const std::int64_t id : {gap.first_id, gap.last_id}) {
    out.write_long(gap.has_ids ? kPresent : kNull);
    if (gap.has_ids) out.write_long(id);
  }
  out.write_long(gap.from_time_ns);
  out.write_long(gap.to_time_ns);
  out.write_string(gap.is_of_any ? reason_of(gap) : std::string(gap.reason));
  return finish(out, message);
}

std::span<const std::uint8_t> RecordEncoder::encode_quote(const Message& message) noexcept {
  const Quote& quote = message.quote;
  AvroWriter out = begin(schema_ids_.quote);
  out.write_string(instruments_->name(quote.instrument));
  out.write_long(quote.has_seq ? kPresent : kNull);
  if (quote.has_seq) out.write_long(quote.seq);
  for (const Level& level : {quote.bid, quote.ask}) {
    for (const Int128 amount : {level.price, level.size}) {
      out.write_long(level.size > 0 ? kPresent : kNull);
      if (level.size > 0) out.write_decimal(amount);
    }
  }
  out.write_long(quote.event_time_ns);
  out.write_long(quote.receive_time_ns);
  return finish(out, message);
}

std::span<const std::uint8_t> RecordEncoder::encode_candle(const Message& message) noexcept {
  const Candle& candle = message.candle;
  AvroWriter out = begin(schema_ids_.candle);
  out.write_string(instruments_->name(candle.instrument));
  out.write_string("1m");
  out.write_long(candle.start_ns);
  for (const Int128 amount : {candle.open, candle.high, candle.low, candle.close, candle.volume}) {
    out.write_decimal(amount);
  }
  out.write_long(candle.has_trades ? kPresent : kNull);
  if (candle.has_trades) out.write_long(candle.trades);
  out.write_long(candle.receive_time_ns);
  return finish(out, message);
}

std::optional<std::int64_t> trade_time_ns_in(std::span<const std::uint8_t> value) noexcept {
  constexpr std::size_t kWireHeader = 5;
  AvroReader in(value.subspan(std::min(kWireHeader, value.size())));
  for (int i = 0; i < 3; ++i) in.skip_bytes();           // venue, instrument, trade_id
  if (in.read_long() == kPresent) (void)in.read_long();  // trade_seq
  for (int i = 0; i < 2; ++i) in.skip_bytes();           // price, size
  (void)in.read_long();                                  // side
  const std::int64_t time_ns = in.read_long();
  return in.is_good() ? std::optional(time_ns) : std::nullopt;
}

std::string as_hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : bytes) hex += {kDigits[byte >> 4], kDigits[byte & 0xf]};
  return hex;
}

}  // namespace livetape::bridge
