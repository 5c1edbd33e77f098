#include "bar_records.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "avro_cursor.hpp"
#include "venue.hpp"

namespace livetape::kernel {
namespace {

// Names and ids are at most 256 bytes each (PartitionFold sees to it), numbers at most 34: a bar needs less than this.
constexpr std::size_t kMaxBarBytes = 2048;

/// A decimal that may be null: state of a release that did not tell sides apart has none.
void write_side(AvroCursor& out, const Aggregate& sum, UInt128 volume) {
  out.flag(sum.has_sides);
  if (sum.has_sides) out.decimal(static_cast<Int128>(volume));
}

/// Null also where there is none: volatility of one close is not 0.
void write_returns(AvroCursor& out, const Returns& returns) {
  const bool has_any = returns.is_known && returns.count > 0;
  out.flag(has_any);
  if (has_any) out.decimal(static_cast<Int128>(returns.squared));
}

/// Prices are 0 where no trade of the bar counts for them: all were cancelled, or of conditions that do not.
void write_values(AvroCursor& out, const Aggregate& sum, std::optional<std::int64_t> missing) {
  out.decimal(sum.open);
  out.decimal(sum.has_high_low ? sum.high : std::max(sum.open, sum.close));
  out.decimal(sum.has_high_low ? sum.low : std::min(sum.open, sum.close));
  out.decimal(sum.close);
  out.decimal(static_cast<Int128>(sum.volume));
  write_side(out, sum, sum.buy_volume);
  write_side(out, sum, sum.sell_volume);
  out.notional(sum.notional);
  write_returns(out, sum.own_returns);
  out.number(sum.trade_count);
  out.flag(missing.has_value());
  if (missing) out.number(*missing);
}

void write_lineage(AvroCursor& out, std::int64_t seq, const Aggregate& sum) {
  out.number(seq);
  out.number(sum.first_offset);
  out.number(sum.last_offset);
  TradeIdText text;
  out.text(sum.first_id.text_in(text));
  out.text(sum.last_id.text_in(text));
}

void write_origin(AvroCursor& out, const Origin& origin) {
  out.text(origin.epoch);
  out.number(origin.generation);
  out.number(origin.partition);
}

/// Of a venue whose ids have holes by themselves nobody can tell.
std::optional<std::int64_t> known_missing(const Series& series, std::int64_t missing) {
  return series.ids.are_contiguous() ? std::optional(missing) : std::nullopt;
}

void write_wire_header(AvroCursor& out, std::int32_t schema_id) {
  out.raw(0);
  for (int shift = 24; shift >= 0; shift -= 8) out.raw(static_cast<std::uint8_t>(schema_id >> shift));
}

/// Digits of the time that was written last: bars that end together begin together.
class StartText {
 public:
  std::string_view of(std::int64_t start_ns) noexcept {
    if (start_ns != start_ns_ || size_ == 0) {
      start_ns_ = start_ns;
      size_ = static_cast<std::size_t>(std::to_chars(digits_, digits_ + sizeof digits_, start_ns).ptr - digits_);
    }
    return {digits_, size_};
  }

 private:
  std::int64_t start_ns_ = 0;
  std::size_t size_ = 0;
  char digits_[20]{};
};

Bytes bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// venue:instrument:interval:start
void write_key(AvroCursor& out, const Series& series, const Level& level, std::int64_t start_ns) {
  thread_local StartText start;
  for (const std::string_view name :
       {std::string_view(series.home.name), std::string_view(series.instrument), std::string_view(level.name)}) {
    out.bytes(bytes_of(name)).raw(':');
  }
  out.bytes(bytes_of(start.of(start_ns)));
}

}  // namespace

void write_bar(RecordBatchWriter& to, const Origin& origin, const Series& series, const Level& level, const Bar& bar) {
  std::uint8_t room[2 * kMaxBarBytes];
  AvroCursor out(room);
  write_key(out, series, level, bar.start_ns);
  const std::uint8_t* const value = out.at();
  write_wire_header(out, origin.bar_schema_id);
  out.text(series.home.name).text(series.instrument).text(level.name);
  out.number(bar.start_ns);
  out.flag(bar.revision != 0);  // final, revised
  out.number(bar.revision);
  write_values(out, bar.sum, known_missing(series, bar.missing));
  write_lineage(out, bar.seq, bar.sum);
  write_origin(out, origin);
  to.append(Bytes(room, value), Bytes(value, out.at()));
}

void write_live(RecordBatchWriter& to, const Origin& origin, const Series& series, std::span<const LiveBar> bars) {
  std::vector<std::uint8_t> room(kMaxBarBytes * (bars.size() + 2));
  AvroCursor out(room.data());
  out.bytes(bytes_of(series.home.name)).raw(':').bytes(bytes_of(series.instrument));
  const std::uint8_t* const value = out.at();
  write_wire_header(out, origin.live_schema_id);
  out.text(series.home.name).text(series.instrument);
  write_origin(out, origin);
  if (!bars.empty()) out.number(static_cast<std::int64_t>(bars.size()));
  for (const LiveBar& bar : bars) {
    out.text(bar.level->name).number(bar.start_ns);
    write_values(out, bar.sum, known_missing(series, bar.missing));
    write_lineage(out, std::max(bar.sum.last_offset, bar.seq), bar.sum);
  }
  out.number(0);
  to.append(Bytes(room.data(), value), Bytes(value, out.at()));
}

}  // namespace livetape::kernel
