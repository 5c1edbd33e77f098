#include "bar_state.hpp"

#include "livetape/decimal.hpp"

namespace livetape::kernel {
namespace {

// Names and ids are at most 256 bytes each (PartitionFold sees to it): a bar's numbers and two ids need less than this.
constexpr std::size_t kMaxBarBytes = 2048;

Int128 read_decimal(ByteReader& in) {
  Int128 value = 0;
  if (!decode_decimal(in.prefixed_bytes(), value)) in.fail();
  return value;
}

UInt256 read_notional(ByteReader& in) {
  auto bytes = in.prefixed_bytes();
  if (!bytes.empty() && bytes[0] == 0) bytes = bytes.subspan(1);
  if (bytes.size() > 32) in.fail();
  UInt128 high = 0;
  UInt128 low = 0;
  for (const std::uint8_t byte : bytes) {
    high = (high << 8) | (low >> 120);
    low = (low << 8) | byte;
  }
  return {high, low};
}

/// Which of a bar's returns the state has.
enum class ReturnsKind : std::uint8_t { unknown, none, some };

void write_returns(AvroCursor& out, const Returns& returns) {
  const bool has_some = returns.first_close != 0;
  const auto kind = !returns.is_known ? ReturnsKind::unknown : has_some ? ReturnsKind::some : ReturnsKind::none;
  out.number(static_cast<std::int64_t>(kind));
  if (kind != ReturnsKind::some) return;
  out.number(returns.count).decimal(returns.first_close).decimal(returns.last_close);
  out.decimal(static_cast<Int128>(returns.squared));
}

Returns read_returns(ByteReader& in) {
  Returns returns;
  const std::int64_t kind = in.varlong();
  if (kind < 0 || kind > static_cast<std::int64_t>(ReturnsKind::some)) in.fail();
  returns.is_known = kind != static_cast<std::int64_t>(ReturnsKind::unknown);
  if (kind != static_cast<std::int64_t>(ReturnsKind::some)) return returns;
  returns.count = in.varlong();
  returns.first_close = read_decimal(in);
  returns.last_close = read_decimal(in);
  returns.squared = static_cast<UInt128>(read_decimal(in));
  return returns;
}

// Whether sides are told is a flag, as it always was, but for a bar that was corrected, or whose venue began to count
// anew within it or with it.
constexpr std::int64_t kHasSides = 1;
constexpr std::int64_t kIsRecounted = 2;
constexpr std::int64_t kStartsCount = 4;
constexpr std::int64_t kIsCorrected = 8;

void write_sides(AvroCursor& out, const Aggregate& sum) {
  const std::int64_t others = (sum.is_recounted ? kIsRecounted : 0) | (sum.starts_count ? kStartsCount : 0) |
                              (sum.is_corrected ? kIsCorrected : 0);
  if (others == 0) {
    out.flag(sum.has_sides);
  } else {
    out.number(others | (sum.has_sides ? kHasSides : 0));
  }
}

void read_sides(ByteReader& in, Aggregate& sum) {
  const std::int64_t said = in.varlong();
  const bool is_flag = said < kIsRecounted;
  sum.has_sides = is_flag ? said != 0 : (said & kHasSides) != 0;
  sum.is_recounted = !is_flag && (said & kIsRecounted) != 0;
  sum.starts_count = !is_flag && (said & kStartsCount) != 0;
  sum.is_corrected = !is_flag && (said & kIsCorrected) != 0;
}

OrderKey read_order(ByteReader& in) {
  const std::int64_t first = in.varlong();
  return {first, in.varlong()};
}

}  // namespace

void write_bar_state(StateText& text, const Bar& bar) {
  const Aggregate& sum = bar.sum;
  text.append(kMaxBarBytes, [&](AvroCursor& out) {
    out.flag(bar.is_final).number(bar.revision).number(bar.seq).number(sum.trade_count);
    out.number(sum.first_order.first).number(sum.first_order.second);
    out.number(sum.last_order.first).number(sum.last_order.second);
    out.decimal(sum.open).decimal(sum.high).decimal(sum.low).decimal(sum.close);
    out.decimal(static_cast<Int128>(sum.volume)).notional(sum.notional);
    out.number(sum.first_offset).number(sum.last_offset).number(sum.newest_event_ns);
    TradeIdText digits;
    out.text(sum.first_id.text_in(digits));
    out.text(sum.last_id.text_in(digits));
    out.number(bar.missing).flag(sum.has_open_close).flag(sum.has_high_low);
    write_sides(out, sum);
    out.decimal(static_cast<Int128>(sum.buy_volume)).decimal(static_cast<Int128>(sum.sell_volume));
    write_returns(out, sum.own_returns);
  });
}

Bar read_bar_state(ByteReader& in, std::int64_t start_ns, std::uint8_t version) {
  Bar bar;
  bar.start_ns = start_ns;
  bar.is_final = in.varlong() != 0;
  bar.revision = static_cast<std::int32_t>(in.varlong());
  bar.seq = in.varlong();
  Aggregate& sum = bar.sum;
  sum.trade_count = in.varlong();
  sum.first_order = read_order(in);
  sum.last_order = read_order(in);
  sum.open = read_decimal(in);
  sum.high = read_decimal(in);
  sum.low = read_decimal(in);
  sum.close = read_decimal(in);
  sum.volume = static_cast<UInt128>(read_decimal(in));
  sum.notional = read_notional(in);
  sum.first_offset = in.varlong();
  sum.last_offset = in.varlong();
  sum.newest_event_ns = in.varlong();
  sum.first_id = TradeIdView::parse(in.prefixed_text());
  sum.last_id = TradeIdView::parse(in.prefixed_text());
  if (version >= kFirstWithSides) {
    bar.missing = in.varlong();
    sum.has_open_close = in.varlong() != 0;
    sum.has_high_low = in.varlong() != 0;
    read_sides(in, sum);
    sum.buy_volume = static_cast<UInt128>(read_decimal(in));
    sum.sell_volume = static_cast<UInt128>(read_decimal(in));
  } else {
    sum.has_open_close = sum.has_high_low = sum.trade_count > 0;
    sum.has_sides = false;
  }
  if (version >= kFirstWithReturns) {
    sum.own_returns = read_returns(in);
  } else {
    sum.own_returns.is_known = !sum.has_open_close;  // a sum of nothing has none
  }
  return bar;
}

}  // namespace livetape::kernel
