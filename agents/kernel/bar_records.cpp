#include "bar_records.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "livetape/avro_writer.hpp"
#include "venue.hpp"

namespace livetape::kernel {
namespace {

// Names and ids are at most 256 bytes each (PartitionFold sees to it), numbers at most 34: a bar needs less than this.
constexpr std::size_t kMaxBarBytes = 2048;

std::string_view written(const AvroWriter& out) {
  return {reinterpret_cast<const char*>(out.written().data()), out.written().size()};
}

/// A decimal that may be null: state of a release that did not tell sides apart has none.
void write_side(AvroWriter& out, const Aggregate& sum, UInt128 volume) {
  out.write_long(sum.has_sides ? 1 : 0);
  if (sum.has_sides) out.write_decimal(static_cast<Int128>(volume));
}

/// Null also where there is none: volatility of one close is not 0.
void write_returns(AvroWriter& out, const Returns& returns) {
  const bool has_any = returns.is_known && returns.count > 0;
  out.write_long(has_any ? 1 : 0);
  if (has_any) out.write_decimal(static_cast<Int128>(returns.squared));
}

/// Prices are 0 where no trade of the bar counts for them: all were cancelled, or of conditions that do not.
void write_values(AvroWriter& out, const Aggregate& sum, std::optional<std::int64_t> missing) {
  out.write_decimal(sum.open);
  out.write_decimal(sum.has_high_low ? sum.high : std::max(sum.open, sum.close));
  out.write_decimal(sum.has_high_low ? sum.low : std::min(sum.open, sum.close));
  out.write_decimal(sum.close);
  out.write_decimal(static_cast<Int128>(sum.volume));
  write_side(out, sum, sum.buy_volume);
  write_side(out, sum, sum.sell_volume);
  out.write_notional(sum.notional);
  write_returns(out, sum.own_returns);
  out.write_long(sum.trade_count);
  out.write_long(missing ? 1 : 0);
  if (missing) out.write_long(*missing);
}

void write_lineage(AvroWriter& out, std::int64_t seq, const Aggregate& sum) {
  out.write_long(seq);
  out.write_long(sum.first_offset);
  out.write_long(sum.last_offset);
  TradeIdText text;
  out.write_string(sum.first_id.text_in(text));
  out.write_string(sum.last_id.text_in(text));
}

void write_origin(AvroWriter& out, const Origin& origin) {
  out.write_string(origin.epoch);
  out.write_long(origin.generation);
  out.write_long(origin.partition);
}

/// Of a venue whose ids have holes by themselves nobody can tell.
std::optional<std::int64_t> known_missing(const Series& series, std::int64_t missing) {
  return series.ids.are_contiguous() ? std::optional(missing) : std::nullopt;
}

/// venue:instrument:interval:start
class BarKey {
 public:
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): room, written before it is read
  BarKey(const Series& series, const Level& level, std::int64_t start_ns) noexcept {
    for (const std::string_view name :
         {std::string_view(series.home.name), std::string_view(series.instrument), std::string_view(level.name)}) {
      end_ = std::ranges::copy(name, end_).out;
      *end_++ = ':';
    }
    end_ = std::to_chars(end_, text_ + sizeof text_, start_ns).ptr;
  }
  [[nodiscard]] Bytes bytes() const noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text_), static_cast<std::size_t>(end_ - text_)};
  }

 private:
  char text_[kMaxBarBytes];
  char* end_ = text_;
};

}  // namespace

void write_bar(RecordBatchWriter& to, const Origin& origin, const Series& series, const Level& level, const Bar& bar) {
  std::uint8_t buffer[kMaxBarBytes];
  AvroWriter out(buffer);
  out.write_wire_header(origin.bar_schema_id);
  out.write_string(series.home.name);
  out.write_string(series.instrument);
  out.write_string(level.name);
  out.write_long(bar.start_ns);
  out.write_long(bar.revision == 0 ? 0 : 1);  // final, revised
  out.write_long(bar.revision);
  write_values(out, bar.sum, known_missing(series, bar.missing));
  write_lineage(out, bar.seq, bar.sum);
  write_origin(out, origin);
  BarKey key(series, level, bar.start_ns);
  to.append(key.bytes(), out.written());
}

KeyedRecord live_record(const Origin& origin, const Series& series, std::span<const LiveBar> bars) {
  std::vector<std::uint8_t> buffer(kMaxBarBytes * (bars.size() + 1));
  AvroWriter out(buffer);
  out.write_wire_header(origin.live_schema_id);
  out.write_string(series.home.name);
  out.write_string(series.instrument);
  write_origin(out, origin);
  if (!bars.empty()) out.write_long(static_cast<std::int64_t>(bars.size()));
  for (const LiveBar& bar : bars) {
    out.write_string(bar.level->name);
    out.write_long(bar.start_ns);
    write_values(out, bar.sum, known_missing(series, bar.missing));
    write_lineage(out, bar.sum.last_offset, bar.sum);  // what changed a forming bar last is its newest trade
  }
  out.write_long(0);
  return {series.home.name + ':' + series.instrument, std::string(written(out))};
}

}  // namespace livetape::kernel
