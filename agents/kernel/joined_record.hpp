#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "decoded.hpp"
#include "quote_queue.hpp"
#include "record_batch_writer.hpp"
#include "trade_id.hpp"

/// Joined trades as the outside reads them: joined.avsc in Confluent's wire format.
namespace livetape::kernel {

/// What was found for a trade, in the order of the symbols of joined.avsc.
enum class QuoteMatch : std::uint8_t { quoted, one_sided, none, late };

/// A trade that was accepted.
struct JoinTrade {
  std::int64_t event_time_ns = 0;
  std::int64_t offset = 0;
  std::int64_t appended_ms = 0;  // when its log took it
  TradeId id;
  std::string refers_to;
  Int128 price = 0;
  Int128 size = 0;
  Aggressor aggressor = Aggressor::unknown;
  Action action = Action::trade;
};

/// Where the join runs and how its records are marked.
struct JoinOrigin {
  std::int32_t partition;
  std::string trades_epoch;
  std::string quotes_epoch;
  std::int32_t joined_schema_id;
};

/// A trade and the quote that stood at its time, which is null unless the match has one. The effective spread is
/// 2·|price − (bid + ask)/2| = |2·price − bid − ask|, which needs no division: it is exact.
void write_joined(RecordBatchWriter& joined, const JoinOrigin& origin, std::string_view venue,
                  std::string_view instrument, const JoinTrade& trade, QuoteMatch match, const Quote* quote);

}  // namespace livetape::kernel
