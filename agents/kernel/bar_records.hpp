#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bar.hpp"
#include "record_batch_writer.hpp"
#include "series.hpp"

/// Bars as the outside reads them: bar.avsc and live.avsc in Confluent's wire format.
namespace livetape::kernel {

/// Where the fold runs and how its records are marked.
struct Origin {
  std::int32_t partition;
  std::string epoch;
  std::int32_t generation;
  std::int32_t bar_schema_id;
  std::int32_t live_schema_id;
};

/// Appends a final or revised bar.
void write_bar(RecordBatchWriter& to, const Origin& origin, const Series& series, const Level& level, const Bar& bar);

/// A forming bar and what it shows.
struct LiveBar {
  const Level* level = nullptr;
  std::int64_t start_ns = 0;
  std::int64_t missing = 0;
  std::int64_t seq = -1;  // of the record that last changed what it misses, which may be a trade of another window
  Aggregate sum{};
};
/// Appends the forming bars of an instrument.
void write_live(RecordBatchWriter& to, const Origin& origin, const Series& series, std::span<const LiveBar> bars);

}  // namespace livetape::kernel
