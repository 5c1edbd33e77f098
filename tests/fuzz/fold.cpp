#include <algorithm>
#include <map>

#include "kit.hpp"

/// Any batches as what was fetched from `trades`. Folded at once, and folded batch by batch with a flush, a crash and a
/// restore behind each, it must come to the same.
using namespace livetape::kernel;

namespace {

using Records = std::map<std::string, std::optional<std::string>>;

std::string text(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

/// The records of batches; the last of each key stays.
void take_records(std::vector<PackedBatch> batches, Records& records) {
  Decompressor decompressor;
  for (PackedBatch& packed : batches) {
    packed.mark(7, 0, 0, 0);
    RecordSetReader reader(packed.bytes(), {}, decompressor);
    while (const Record* record = reader.next()) {
      std::optional<std::string>& value = records[text(record->key.value_or(Bytes{}))];
      value = record->value ? std::optional(text(*record->value)) : std::nullopt;
    }
    fuzz::expect(reader.error().empty(), "a batch that the kernel packed can be read");
  }
}

/// What a fold has put out so far.
struct Outputs {
  Records bars;
  Records changelog;
  std::vector<std::pair<std::int64_t, std::string>> refused;  // offset and reason; a late one has no reason
  Records live;

  void take(PartitionFold& fold) {
    Flush flush = fold.take_flush();
    take_records(std::move(flush.bars), bars);
    take_records(std::move(flush.bars_1s), bars);
    take_records(std::move(flush.changelog), changelog);
    for (const auto* records : {&flush.late, &flush.dead}) {
      for (const RefusedRecord& record : *records) refused.emplace_back(record.offset, record.reason);
    }
  }
};

/// Folds to the end of the set, and reads the log again where a correction asks for it; true when it can go on.
bool fold_all(PartitionFold& fold, Bytes set, Bytes log, std::int64_t& next_offset) {
  while (true) {
    const FoldOutcome outcome = fold.fold(set, {}, next_offset);
    fuzz::expect(outcome.next_offset >= next_offset, "the fold goes forwards");
    next_offset = outcome.next_offset;
    if (!outcome.needs_history) return outcome.corrupt.empty() && !outcome.needs_schema;
    fuzz::expect(!fold.reread(log, {}), "what was folded is of schemas that are known");
  }
}

Outputs at_once(Bytes set, bool has_contiguous_ids) {
  const auto fold = fuzz::make_fold(has_contiguous_ids);
  std::int64_t next_offset = 0;
  Outputs outputs;
  fold_all(*fold, set, set, next_offset);
  outputs.take(*fold);
  take_records(fold->live_all(), outputs.live);
  return outputs;
}

std::unique_ptr<PartitionFold> restored(const Outputs& outputs, bool has_contiguous_ids) {
  fuzz::BatchWriter changelog;
  for (const auto& [key, value] : outputs.changelog) {
    changelog.add(fuzz::BatchWriter::of(key), value ? std::optional(fuzz::BatchWriter::of(*value)) : std::nullopt);
  }
  auto fold = fuzz::make_fold(has_contiguous_ids);
  fold->restore(changelog.batch(), {}, 0);
  fuzz::expect(fold->restored().has_value(), "what a fold flushed can be restored");
  return fold;
}

Outputs by_batch(Bytes set, bool has_contiguous_ids) {
  auto fold = fuzz::make_fold(has_contiguous_ids);
  std::int64_t next_offset = 0;
  Outputs outputs;
  bool goes_on = true;
  fuzz::for_each_batch(set, [&](std::size_t at, std::size_t size) {
    if (!goes_on) return;
    goes_on = fold_all(*fold, set.subspan(at, size), set.first(at + size), next_offset);
    outputs.take(*fold);
    if (!outputs.changelog.empty()) fold = restored(outputs, has_contiguous_ids);
  });
  take_records(fold->live_all(), outputs.live);
  return outputs;
}

void check(Bytes set, bool has_contiguous_ids) {
  Outputs once = at_once(set, has_contiguous_ids);
  Outputs piecewise = by_batch(set, has_contiguous_ids);
  std::ranges::sort(once.refused);
  std::ranges::sort(piecewise.refused);
  fuzz::expect(once.refused == piecewise.refused, "the same records are refused");
  fuzz::expect(once.bars == piecewise.bars, "the same bars are published");
  fuzz::expect(once.live == piecewise.live, "the same bars are forming");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> set(data, data + size);
  fuzz::lay_in_line(set);
  for (const bool has_contiguous_ids : {false, true}) check(set, has_contiguous_ids);
  return 0;
}
