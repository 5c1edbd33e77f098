#include "changelog.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "state_pages.hpp"
#include "venue.hpp"

namespace livetape::kernel {
namespace {

void write_progress(StateText& out, const Progress& progress) {
  out.text(progress.epoch).number(progress.generation).number(progress.next_offset);
  out.number(static_cast<std::int64_t>(progress.clocks.size()));
  for (const VenueClock& clock : progress.clocks) out.text(clock.venue).number(clock.time_ns);
}

std::optional<ByteReader> open_value(std::span<const std::uint8_t> value) {
  if (value.empty() || value[0] > kValueVersion || value[0] < kOldestValueVersion) return std::nullopt;
  return ByteReader(value.subspan(1));
}

// What a trade of a condition counts for, as one number.
constexpr std::int64_t kOpenClose = 1;
constexpr std::int64_t kHighLow = 2;
constexpr std::int64_t kVolume = 4;

bool is_done(const ByteReader& in) { return in.ok() && in.remaining() == 0; }

}  // namespace

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

void ChangelogWriter::whole_from(std::int64_t time_ns) {
  key(StateKind::whole_from);
  value().number(time_ns);
  put();
}

void ChangelogWriter::patience(const Patience& patience) {
  key(StateKind::patience);
  value().number(patience.horizon_ns).number(patience.out_of_order_ns).number(patience.grace_ns);
  put();
}

void ChangelogWriter::forgotten(const std::vector<std::string>& venues) {
  key(StateKind::forgotten);
  value();
  for (const std::string& venue : venues) value_.text(venue);
  put();
}

void ChangelogWriter::hours(const SessionHoursOf& hours) {
  key(StateKind::hours);
  value();
  for (const auto& [whose, its_hours] : hours) {
    value_.text(whose.first).text(whose.second).number(its_hours.covered.start_ns).number(its_hours.covered.end_ns);
    value_.number(static_cast<std::int64_t>(its_hours.windows.size()));
    for (const auto& [name, windows] : its_hours.windows) {
      value_.text(name).number(static_cast<std::int64_t>(windows.size()));
      for (const Span& window : windows) value_.number(window.start_ns).number(window.end_ns);
    }
  }
  put();
}

void ChangelogWriter::rules(const RulesByVenue& rules) {
  key(StateKind::rules);
  value();
  for (const auto& [venue, its_rules] : rules) {
    value_.text(venue).number(its_rules.has_contiguous_ids ? 1 : 0);
    value_.number(static_cast<std::int64_t>(its_rules.conditions.size()));
    for (const auto& [code, parts] : its_rules.conditions) {
      value_.text(code).number((parts.open_close ? kOpenClose : 0) | (parts.high_low ? kHighLow : 0) |
                               (parts.volume ? kVolume : 0));
    }
  }
  put();
}

Bytes ChangelogWriter::bar(const Series& series, const Level& level, const Bar& bar) {
  bar_key(series, level, bar.start_ns);
  write_bar_state(value(), bar);
  put();
  return value_.bytes().subspan(1);  // behind the version
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
    const IdRanges& all = bucket.numbers;
    const std::size_t end = std::min((chunk + 1) * kRangesPerChunk, all.size());
    for (std::size_t place = chunk * kRangesPerChunk; place < end; ++place) {
      value_.number(all[place].first).number(all[place].last);
    }
  } else {
    const auto all = bucket.all_hashes();
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
  changed_runs(venue, instrument, ids_now);
  ids_now.take_changed([&](IdBucket& bucket) {
    for (const IdKind kind : {IdKind::ranges, IdKind::hashes}) {
      const auto which = static_cast<std::size_t>(kind);
      if (bucket.dirty_from[which] == IdBucket::kClean) continue;
      const std::uint32_t chunks = bucket.chunks(kind);
      IdChunk at{venue, instrument, bucket.start_ns, kind, bucket.dirty_from[which]};
      for (; at.number < chunks; ++at.number) ids(at, bucket);
      for (at.number = chunks; at.number < bucket.logged_chunks[which]; ++at.number) {
        ids_gone(at);  // ranges have grown together
      }
      bucket.logged_chunks[which] = chunks;
      bucket.dirty_from[which] = IdBucket::kClean;
    }
  });
}

void ChangelogWriter::changed_runs(std::string_view venue, std::string_view instrument, TradeIds& ids_now) {
  IdRuns& all = ids_now.runs;
  if (all.dirty_from == IdRuns::kClean) return;
  const std::size_t chunks = (all.runs().size() + kRunsPerChunk - 1) / kRunsPerChunk;
  IdChunk at{venue, instrument, 0, IdKind::runs, all.dirty_from / kRunsPerChunk};
  for (; at.number < chunks; ++at.number) runs(at, all);
  for (at.number = chunks; at.number < ids_now.logged_run_chunks; ++at.number) ids_gone(at);
  ids_now.logged_run_chunks = chunks;
  all.dirty_from = IdRuns::kClean;
}

void ChangelogWriter::runs(const IdChunk& at, const IdRuns& runs) {
  const auto all = std::span(runs.runs());
  const std::size_t first = at.number * kRunsPerChunk;
  const auto part = all.subspan(first).first(std::min(kRunsPerChunk, all.size() - first));
  ids_key(at);
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

void ChangelogWriter::corrections(const Series& series, std::int64_t stretch, std::span<const CarriedOut> part) {
  key(StateKind::corrections).text(series.home.name).text(series.instrument);
  if (stretch != Corrections::kWholeLog) key_.number(stretch);
  if (part.empty()) return put_tombstone();
  value();
  for (const CarriedOut& correction : part) value_.number(correction.offset).number(correction.newest_ns);
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
    case StateKind::whole_from:
    case StateKind::patience:
    case StateKind::forgotten:
    case StateKind::hours:
    case StateKind::rules:
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
      found.stretch = Corrections::kWholeLog;
      if (in.remaining() == 0) break;
      found.stretch = in.varlong();
      if (found.stretch < 0) return std::nullopt;
      break;
    case StateKind::waiting:
      found.stretch = in.varlong();
      if (found.stretch < 0) return std::nullopt;
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

std::optional<std::int64_t> read_whole_from(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  const std::int64_t time_ns = in->varlong();
  return is_done(*in) ? std::optional(time_ns) : std::nullopt;
}

std::optional<Patience> read_patience(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  Patience patience{};
  for (std::int64_t* part : {&patience.horizon_ns, &patience.out_of_order_ns, &patience.grace_ns})
    *part = in->varlong();
  return is_done(*in) ? std::optional(patience) : std::nullopt;
}

std::optional<std::vector<std::string>> read_forgotten(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  std::vector<std::string> venues;
  while (in->ok() && in->remaining() > 0) venues.emplace_back(in->prefixed_text());
  return in->ok() ? std::optional(std::move(venues)) : std::nullopt;
}

std::optional<SessionHoursOf> read_hours(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  const auto span = [&] {
    const std::int64_t start_ns = in->varlong();
    return Span{start_ns, in->varlong()};
  };
  SessionHoursOf all;
  while (in->ok() && in->remaining() > 0) {
    const std::string_view venue = in->prefixed_text();
    SessionHours& hours = all[{std::string(venue), std::string(in->prefixed_text())}];
    hours.covered = span();
    for (std::int64_t names = in->varlong(); names > 0 && in->ok(); --names) {
      std::vector<Span>& windows = hours.windows[std::string(in->prefixed_text())];
      for (std::int64_t left = in->varlong(); left > 0 && in->ok(); --left) windows.push_back(span());
    }
  }
  return in->ok() ? std::optional(std::move(all)) : std::nullopt;
}

std::optional<RulesByVenue> read_rules(std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  RulesByVenue all;
  while (in->ok() && in->remaining() > 0) {
    VenueRules& rules = all[std::string(in->prefixed_text())];
    rules.has_contiguous_ids = in->varlong() != 0;
    for (std::int64_t left = in->varlong(); left > 0 && in->ok(); --left) {
      CountsFor& parts = rules.conditions[std::string(in->prefixed_text())];
      const std::int64_t said = in->varlong();
      parts = {(said & kOpenClose) != 0, (said & kHighLow) != 0, (said & kVolume) != 0};
    }
  }
  const bool is_whole = in->ok() && all.contains("");
  return is_whole ? std::optional(std::move(all)) : std::nullopt;
}

std::optional<Bar> read_bar_state(std::int64_t start_ns, std::span<const std::uint8_t> value) {
  auto in = open_value(value);
  if (!in) return std::nullopt;
  Bar bar = read_bar_state(*in, start_ns, value[0]);
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
        Bar bar = read_bar_state(*in, minute_ns + since_ns, value[0]);
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
