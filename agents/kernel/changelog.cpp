#include "changelog.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "state_pages.hpp"
#include "venue.hpp"

namespace livetape::kernel {
namespace {

// Names and ids are at most 256 bytes each (PartitionFold sees to it): a bar's numbers and two ids need less than this.
constexpr std::size_t kMaxBarBytes = 2048;

void write_progress(StateText& out, const Progress& progress) {
  out.text(progress.epoch).number(progress.generation).number(progress.next_offset);
  out.number(static_cast<std::int64_t>(progress.clocks.size()));
  for (const VenueClock& clock : progress.clocks) out.text(clock.venue).number(clock.time_ns);
}

std::optional<ByteReader> open_value(std::span<const std::uint8_t> value) {
  if (value.empty() || value[0] > kValueVersion || value[0] < kOldestValueVersion) return std::nullopt;
  return ByteReader(value.subspan(1));
}

bool is_done(const ByteReader& in) { return in.ok() && in.remaining() == 0; }

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

OrderKey read_order(ByteReader& in) {
  const std::int64_t first = in.varlong();
  return {first, in.varlong()};
}

Bar read_bar(ByteReader& in, std::int64_t start_ns, std::uint8_t version) {
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
    sum.has_sides = in.varlong() != 0;
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

}  // namespace

StateText& StateText::begin(std::uint8_t version) {
  size_ = 0;
  return raw(version);
}

std::uint8_t* StateText::room(std::size_t bytes) {
  if (size_ + bytes > bytes_.size()) bytes_.resize(2 * (size_ + bytes));
  return bytes_.data() + size_;
}

StateText& StateText::raw(std::uint8_t byte) {
  *room(1) = byte;
  ++size_;
  return *this;
}

StateText& StateText::number(std::int64_t value) {
  return append(AvroCursor::kMaxNumberBytes, [&](AvroCursor& out) { out.number(value); });
}

StateText& StateText::decimal(Int128 value) {
  return append(AvroCursor::kMaxNumberBytes, [&](AvroCursor& out) { out.decimal(value); });
}

StateText& StateText::text(std::string_view value) {
  return append(AvroCursor::kMaxNumberBytes + value.size(), [&](AvroCursor& out) { out.text(value); });
}

StateText& ChangelogWriter::key(StateKind kind) { return key_.begin(kKeyVersion).raw(static_cast<std::uint8_t>(kind)); }

void ChangelogWriter::bar_key(const Series& series, const Level& level, std::int64_t start_ns) {
  const bool is_named = level.has_sessions() || level.is_hopping();
  key(is_named ? StateKind::named_bar : StateKind::bar).text(series.home.name).text(series.instrument);
  if (is_named) {
    key_.text(level.name);
  } else {
    key_.number(level.length_ns);
  }
  key_.number(start_ns);
}

void ChangelogWriter::ids_key(const IdChunk& chunk) {
  key(StateKind::ids)
      .text(chunk.venue)
      .text(chunk.instrument)
      .number(chunk.bucket_ns)
      .number(static_cast<std::int64_t>(chunk.kind))
      .number(static_cast<std::int64_t>(chunk.number));
}

void ChangelogWriter::page_key(std::int64_t minute_ns, std::size_t number) {
  key(StateKind::page).number(minute_ns).number(static_cast<std::int64_t>(number));
}

void ChangelogWriter::progress(const Progress& progress) {
  key(StateKind::progress);
  write_progress(value(), progress);
  put();
}

void ChangelogWriter::levels(const LevelNames& names) {
  key(StateKind::levels);
  value();
  for (const auto& [whose, intervals] : names) value_.text(whose.first).text(whose.second).text(intervals);
  put();
}

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
    out.number(bar.missing).flag(sum.has_open_close).flag(sum.has_high_low).flag(sum.has_sides);
    out.decimal(static_cast<Int128>(sum.buy_volume)).decimal(static_cast<Int128>(sum.sell_volume));
    write_returns(out, sum.own_returns);
  });
}

void ChangelogWriter::bar(const Series& series, const Level& level, const Bar& bar) {
  bar_key(series, level, bar.start_ns);
  write_bar_state(value(), bar);
  put();
}

void ChangelogWriter::bar_gone(const Series& series, const Level& level, std::int64_t start_ns) {
  bar_key(series, level, start_ns);
  put_tombstone();
}

void ChangelogWriter::ids(const IdChunk& at, const IdBucket& bucket) {
  const std::size_t chunk = at.number;
  ids_key(at);
  value();
  if (at.kind == IdKind::ranges) {
    const auto all = std::span(bucket.numbers.ranges());
    const auto part =
        all.subspan(chunk * kRangesPerChunk).first(std::min(kRangesPerChunk, all.size() - chunk * kRangesPerChunk));
    for (const auto& range : part) value_.number(range.first).number(range.last);
  } else {
    const auto all = std::span(bucket.hashes);
    const auto part =
        all.subspan(chunk * kHashesPerChunk).first(std::min(kHashesPerChunk, all.size() - chunk * kHashesPerChunk));
    for (const IdHash& hash : part) {
      for (const std::uint64_t half : {hash.high, hash.low}) {
        for (int shift = 56; shift >= 0; shift -= 8) value_.raw(static_cast<std::uint8_t>(half >> shift));
      }
    }
  }
  put();
}

void ChangelogWriter::changed_ids(std::string_view venue, std::string_view instrument, TradeIds& ids_now) {
  for (IdBucket& bucket : ids_now.buckets()) {
    for (const IdKind kind : {IdKind::ranges, IdKind::hashes}) {
      const auto which = static_cast<std::size_t>(kind);
      if (bucket.dirty_from[which] == IdBucket::kClean) continue;
      const std::size_t chunks = bucket.chunks(kind);
      IdChunk at{venue, instrument, bucket.start_ns, kind, bucket.dirty_from[which]};
      for (; at.number < chunks; ++at.number) ids(at, bucket);
      for (at.number = chunks; at.number < bucket.logged_chunks[which]; ++at.number) {
        ids_gone(at);  // ranges have grown together
      }
      bucket.logged_chunks[which] = chunks;
      bucket.dirty_from[which] = IdBucket::kClean;
    }
  }
}

void ChangelogWriter::runs(const Series& series, std::size_t chunk) {
  const auto all = std::span(series.ids.runs.runs());
  const auto part =
      all.subspan(chunk * kRunsPerChunk).first(std::min(kRunsPerChunk, all.size() - chunk * kRunsPerChunk));
  ids_key({series.home.name, series.instrument, 0, IdKind::runs, chunk});
  value();
  for (const IdRuns::Run& run : part) {
    value_.number(run.first).number(run.last).number(run.first_ns).number(run.last_ns).number(run.newest_ns);
  }
  put();
}

void ChangelogWriter::ids_gone(const IdChunk& chunk) {
  ids_key(chunk);
  put_tombstone();
}

void ChangelogWriter::page(std::int64_t minute_ns, std::size_t number, Bytes text) {
  page_key(minute_ns, number);
  out_.append(key_.bytes(), text);
}

void ChangelogWriter::page_gone(std::int64_t minute_ns, std::size_t number) {
  page_key(minute_ns, number);
  put_tombstone();
}

void ChangelogWriter::corrections(const Series& series) {
  key(StateKind::corrections).text(series.home.name).text(series.instrument);
  if (series.corrections.empty()) return put_tombstone();
  value();
  for (const CarriedOut& correction : series.corrections) value_.number(correction.offset).number(correction.newest_ns);
  put();
}

std::pair<std::string, std::string> progress_record(const Progress& progress) {
  StateText key;
  StateText value;
  key.begin(kKeyVersion).raw(static_cast<std::uint8_t>(StateKind::progress));
  write_progress(value.begin(kValueVersion), progress);
  const auto copy = [](Bytes bytes) { return std::string(bytes.begin(), bytes.end()); };
  return {copy(key.bytes()), copy(value.bytes())};
}

std::optional<StateKey> read_state_key(std::span<const std::uint8_t> key) {
  if (key.size() < 2 || key[0] != kKeyVersion) return std::nullopt;
  ByteReader in(key.subspan(2));
  StateKey found{static_cast<StateKind>(key[1]), {}, {}};
  switch (found.kind) {
    case StateKind::progress:
    case StateKind::levels:
      break;
    case StateKind::bar:
      found.venue = in.prefixed_text();
      found.instrument = in.prefixed_text();
      found.length_ns = in.varlong();
      found.start_ns = in.varlong();
      break;
    case StateKind::named_bar:
      found.venue = in.prefixed_text();
      found.instrument = in.prefixed_text();
      found.interval = in.prefixed_text();
      found.start_ns = in.varlong();
      break;
    case StateKind::ids:
      found.venue = in.prefixed_text();
      found.instrument = in.prefixed_text();
      found.start_ns = in.varlong();
      found.id_kind = static_cast<IdKind>(in.varlong());
      if (found.id_kind > IdKind::runs) return std::nullopt;
      found.chunk = static_cast<std::size_t>(in.varlong());
      break;
    case StateKind::corrections:
      found.venue = in.prefixed_text();
      found.instrument = in.prefixed_text();
      break;
    case StateKind::page:
      found.start_ns = in.varlong();
      found.chunk = static_cast<std::size_t>(in.varlong());
      break;
    default:
      return std::nullopt;
  }
  return is_done(in) ? std::optional(found) : std::nullopt;
}

std::optional<Progress> read_progress(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  Progress progress;
  progress.epoch = in->prefixed_text();
  progress.generation = static_cast<std::int32_t>(in->varlong());
  progress.next_offset = in->varlong();
  for (std::int64_t left = in->varlong(); left > 0 && in->ok(); --left) {
    const std::string_view venue = in->prefixed_text();
    progress.clocks.push_back({std::string(venue), in->varlong()});
  }
  return is_done(*in) ? std::optional(std::move(progress)) : std::nullopt;
}

std::optional<LevelNames> read_levels(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  LevelNames names;
  while (in->ok() && in->remaining() > 0) {
    const std::string_view venue = in->prefixed_text();
    const std::string_view instrument = in->prefixed_text();
    names[{std::string(venue), std::string(instrument)}] = in->prefixed_text();
  }
  const bool is_whole = in->ok() && names.contains({"", ""});
  return is_whole ? std::optional(std::move(names)) : std::nullopt;
}

std::optional<Bar> read_bar_state(std::int64_t start_ns, std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  Bar bar = read_bar(*in, start_ns, value[0]);
  bar.is_logged = true;
  return is_done(*in) ? std::optional(std::move(bar)) : std::nullopt;
}

bool read_page(std::int64_t minute_ns, std::span<const std::uint8_t> value,
               const std::function<void(std::string_view venue, std::string_view instrument, Bar bar)>& take_bar) {
  auto in = open_value(value);
  if (!in || value[0] < kFirstWithPages) return false;
  std::vector<std::pair<std::string_view, std::string_view>> names;
  while (in->ok() && in->remaining() > 0) {
    switch (static_cast<PageEntryKind>(in->big_endian<std::uint8_t>())) {
      case PageEntryKind::name: {
        const std::string_view venue = in->prefixed_text();
        names.emplace_back(venue, in->prefixed_text());
        break;
      }
      case PageEntryKind::bar: {
        const auto place = static_cast<std::uint64_t>(in->varlong());
        const std::int64_t since_ns = in->varlong();
        if (since_ns < 0 || since_ns >= StatePages::kLengthNs || place >= names.size()) return false;
        Bar bar = read_bar(*in, minute_ns + since_ns, value[0]);
        bar.is_paged = true;
        if (!in->ok()) return false;
        take_bar(names[place].first, names[place].second, std::move(bar));
        break;
      }
      default:
        return false;
    }
  }
  return in->ok();
}

std::optional<std::vector<IdRanges::Range>> read_ranges(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  std::vector<IdRanges::Range> ranges;
  while (in->ok() && in->remaining() > 0) {
    const std::int64_t first = in->varlong();
    ranges.push_back({first, in->varlong()});
  }
  return in->ok() ? std::optional(std::move(ranges)) : std::nullopt;
}

std::optional<std::vector<CarriedOut>> read_corrections(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  std::vector<CarriedOut> corrections;
  while (in->ok() && in->remaining() > 0) {
    const std::int64_t offset = in->varlong();
    corrections.push_back({offset, in->varlong()});
  }
  return in->ok() ? std::optional(std::move(corrections)) : std::nullopt;
}

std::optional<std::vector<IdRuns::Run>> read_runs(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  std::vector<IdRuns::Run> runs;
  while (in->ok() && in->remaining() > 0) {
    IdRuns::Run& run = runs.emplace_back();
    for (std::int64_t* part : {&run.first, &run.last, &run.first_ns, &run.last_ns, &run.newest_ns}) {
      *part = in->varlong();
    }
  }
  return in->ok() ? std::optional(std::move(runs)) : std::nullopt;
}

std::optional<std::vector<IdHash>> read_hashes(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  std::vector<IdHash> hashes;
  while (in->ok() && in->remaining() > 0) {
    const auto high = in->big_endian<std::uint64_t>();
    hashes.push_back({high, in->big_endian<std::uint64_t>()});
  }
  return in->ok() ? std::optional(std::move(hashes)) : std::nullopt;
}

}  // namespace livetape::kernel
