#include "joined_record.hpp"

#include <vector>

#include "livetape/avro_writer.hpp"

namespace livetape::kernel {
namespace {

// What all but the texts of a record need at the most, and more.
constexpr std::size_t kNumbersBytes = 512;
constexpr UInt128 kSignBit = UInt128{1} << 127;

void write_optional(AvroWriter& out, Int128 amount, bool is_there) {
  out.write_long(is_there ? 1 : 0);
  if (is_there) out.write_decimal(amount);
}

/// An amount of up to 2·10^38, which 128 bits hold without a sign alone.
void write_signed(AvroWriter& out, UInt128 magnitude, bool is_negative) {
  if (magnitude < kSignBit) {
    const auto amount = static_cast<Int128>(magnitude);
    return out.write_decimal(is_negative ? -amount : amount);
  }
  UInt128 bits = is_negative ? -magnitude : magnitude;
  std::uint8_t bytes[kMaxDecimalBytes + 1];
  for (std::size_t i = kMaxDecimalBytes; i > 0; bits >>= 8) bytes[i--] = static_cast<std::uint8_t>(bits);
  bytes[0] = is_negative ? 0xff : 0x00;
  out.write_bytes(bytes);
}

void write_quote(AvroWriter& out, const Quote* quote) {
  const bool has_bid = quote != nullptr && quote->bid_price != 0;
  const bool has_ask = quote != nullptr && quote->ask_price != 0;
  write_optional(out, has_bid ? quote->bid_price : 0, has_bid);
  write_optional(out, has_bid ? quote->bid_size : 0, has_bid);
  write_optional(out, has_ask ? quote->ask_price : 0, has_ask);
  write_optional(out, has_ask ? quote->ask_size : 0, has_ask);
  for (const std::int64_t Quote::*part : {&Quote::event_time_ns, &Quote::offset}) {
    out.write_long(quote != nullptr ? 1 : 0);
    if (quote != nullptr) out.write_long(quote->*part);
  }
}

void write_spread(AvroWriter& out, const JoinTrade& trade, const Quote& quote) {
  const UInt128 twice_price = 2 * static_cast<UInt128>(trade.price);
  const UInt128 twice_mid = static_cast<UInt128>(quote.bid_price) + static_cast<UInt128>(quote.ask_price);
  const bool is_below = twice_price < twice_mid;
  const UInt128 spread = is_below ? twice_mid - twice_price : twice_price - twice_mid;
  out.write_long(1);
  write_signed(out, spread, false);
  out.write_long(trade.aggressor == Aggressor::unknown ? 0 : 1);
  if (trade.aggressor == Aggressor::unknown) return;
  const bool gains = trade.aggressor == Aggressor::buy ? is_below : !is_below;
  write_signed(out, spread, gains && spread != 0);
}

}  // namespace

void write_joined(RecordBatchWriter& joined, const JoinOrigin& origin, std::string_view venue,
                  std::string_view instrument, const JoinTrade& trade, QuoteMatch match, const Quote* quote) {
  TradeIdText text;
  const std::string_view id = trade.id.text_in(text);
  thread_local std::vector<std::uint8_t> buffer;
  buffer.resize(kNumbersBytes + venue.size() + instrument.size() + id.size() + trade.refers_to.size() +
                origin.trades_epoch.size());
  AvroWriter out(buffer);
  out.write_wire_header(origin.joined_schema_id);
  out.write_string(venue);
  out.write_string(instrument);
  out.write_string(id);
  out.write_decimal(trade.price);
  out.write_decimal(trade.size);
  out.write_long(static_cast<std::int64_t>(trade.aggressor));
  out.write_long(trade.event_time_ns);
  out.write_long(static_cast<std::int64_t>(trade.action));
  out.write_long(trade.refers_to.empty() ? 0 : 1);
  if (!trade.refers_to.empty()) out.write_string(trade.refers_to);
  out.write_long(static_cast<std::int64_t>(match));
  write_quote(out, quote);
  if (match == QuoteMatch::quoted) {
    write_spread(out, trade, *quote);
  } else {
    out.write_long(0);
    out.write_long(0);
  }
  out.write_long(trade.offset);
  out.write_string(origin.trades_epoch);
  out.write_long(origin.partition);
  thread_local std::string key;
  key.assign(venue).append(1, ':').append(instrument);
  joined.append(Bytes{reinterpret_cast<const std::uint8_t*>(key.data()), key.size()}, out.written());
}

}  // namespace livetape::kernel
