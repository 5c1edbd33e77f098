#include "corrupt_state.hpp"
#include "kit.hpp"

/// Any records as a changelog: the state is refused or restored, and what is restored can be folded into and flushed.
/// A record is the lengths of its key and its value, two bytes each, and both; a value of the largest length is none.
using namespace livetape::kernel;

namespace {

constexpr std::uint16_t kTombstone = 0xffff;

std::vector<std::uint8_t> changelog_of(Bytes input) {
  fuzz::BatchWriter changelog;
  ByteReader in(input);
  while (in.remaining() > 0) {
    const auto key_bytes = in.big_endian<std::uint16_t>();
    const auto value_bytes = in.big_endian<std::uint16_t>();
    const Bytes key = in.bytes(std::min<std::size_t>(key_bytes, in.remaining()));
    if (value_bytes == kTombstone) {
      changelog.add(key, std::nullopt);
    } else {
      changelog.add(key, in.bytes(std::min<std::size_t>(value_bytes, in.remaining())));
    }
  }
  return changelog.batch();
}

/// For each bar in the state: a trade in it, one a minute later, and a clock that ends both.
std::vector<std::uint8_t> trades_for(const std::vector<std::uint8_t>& changelog, std::int64_t offset) {
  fuzz::BatchWriter trades(offset);
  Decompressor decompressor;
  RecordSetReader reader(changelog, {}, decompressor);
  while (const Record* record = reader.next()) {
    const auto key = record->key ? read_state_key(*record->key) : std::nullopt;
    if (!key || key->kind != StateKind::bar || key->start_ns > std::numeric_limits<std::int64_t>::max() / 2) continue;
    for (const std::int64_t after : {std::int64_t{0}, 60 * fuzz::kSecond}) {
      trades.add({}, fuzz::trade_value(key->venue, key->instrument, key->start_ns + after));
    }
    trades.add({}, fuzz::clock_value(key->venue, key->start_ns + 120 * fuzz::kSecond));
  }
  return trades.batch();
}

void check(const std::vector<std::uint8_t>& changelog, bool has_contiguous_ids) {
  const auto fold = fuzz::make_fold(has_contiguous_ids);
  std::optional<Progress> progress;
  try {
    fold->restore(changelog, {}, 0);
    progress = fold->restored();
  } catch (const CorruptState&) {
    return;
  }
  if (!progress) return;
  static_cast<void>(fold->live_all());
  if (progress->next_offset > std::numeric_limits<std::int64_t>::max() / 2) return;
  fold->fold(trades_for(changelog, progress->next_offset), {}, progress->next_offset);
  static_cast<void>(fold->live());
  static_cast<void>(fold->take_flush());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> changelog = changelog_of({data, size});
  for (const bool has_contiguous_ids : {false, true}) check(changelog, has_contiguous_ids);
  return 0;
}
