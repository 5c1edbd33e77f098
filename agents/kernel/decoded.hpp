#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "livetape/int128.hpp"
#include "trade_id.hpp"

/// A record of `trades` or `quotes` as it is decoded.
namespace livetape::kernel {

/// What a record of `trades` or `quotes` is.
enum class RecordKind : std::uint8_t { trade, clock, quote };

/// Actions of trade.avsc, in the order of its symbols.
enum class Action : std::uint8_t { trade, correct, cancel };

/// Aggressors of trade.avsc, in the order of its symbols.
enum class Aggressor : std::uint8_t { unknown, buy, sell };

/// The fields of a trade, a quote or a clock that are wanted; text points into the record. A quote's bid is in `price`
/// and `size`, its sequence in `trade_seq`. A field without a default is what an earlier record
/// had until it is decoded.
struct Decoded {
  std::string_view venue;
  std::string_view instrument;
  TradeIdView trade_id;
  std::string_view refers_to;
  std::span<const std::uint8_t> conditions;  // Avro's array of strings, as it came; empty when there are none
  Int128 price = 0;
  Int128 size = 0;
  std::int64_t trade_seq = 0;
  std::int64_t event_time_ns = 0;  // a clock's time as well
  std::int64_t receive_time_ns = 0;
  Action action = Action::trade;
  Aggressor aggressor = Aggressor::unknown;
  bool has_trade_seq = false;
  Int128 ask_price = 0;
  Int128 ask_size = 0;

  void reset_defaults() noexcept {
    refers_to = {};
    conditions = {};
    action = Action::trade;
    aggressor = Aggressor::unknown;
    has_trade_seq = false;
  }
};

}  // namespace livetape::kernel
