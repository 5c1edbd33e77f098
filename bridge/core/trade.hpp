#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "livetape/int128.hpp"

namespace livetape::bridge {

/// Side of the order that took liquidity, in the order of trade.avsc's symbols.
enum class Aggressor : std::uint8_t { unknown, buy, sell };

/// Id of one run of a venue's client: 16 bytes, random but for those that tell its namespace.
using SessionId = std::array<unsigned char, 16>;

/// What a record does to the tape, in the order of trade.avsc's symbols.
enum class Action : std::uint8_t { trade, correct, cancel };

/// How a trade came to us, in the order of trade.avsc's symbols.
enum class Source : std::uint8_t { live, backfill, replay };

/// A venue's trade id, in place.
class TradeId {
 public:
  static constexpr std::size_t kMaxBytes = 40;  // a UUID has 36

  TradeId() = default;
  /// False when the id is longer than any venue's.
  [[nodiscard]] bool assign(std::string_view id) noexcept {
    if (id.empty() || id.size() > kMaxBytes) return false;
    std::memcpy(bytes_.data(), id.data(), id.size());
    size_ = static_cast<std::uint8_t>(id.size());
    return true;
  }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<char, kMaxBytes> bytes_{};
  std::uint8_t size_ = 0;
};

/// One trade as a venue reported it: fixed in size, so that it travels through rings with no allocation.
struct Trade {
  std::uint32_t instrument = 0;  // index into the venue's instruments
  TradeId id;
  std::int64_t seq = 0;  // the venue's own order number; valid when has_seq
  bool has_seq = false;
  Aggressor aggressor = Aggressor::unknown;
  Source source = Source::live;
  Action action = Action::trade;  // one that cancels has the id of the trade that it cancels
  std::uint32_t numbers = 1;      // how many of the venue's order numbers it stands for, the last is `seq`
  std::span<const std::string_view> conditions{};  // the venue's codes, which outlive the program
  Int128 price = 0;                                // 10^-18 of quote currency
  Int128 size = 0;                                 // 10^-18 of base currency
  std::int64_t event_time_ns = 0;
  std::int64_t receive_time_ns = 0;
  std::int64_t publish_time_ns = 0;   // 0: not published yet
  std::int64_t hardware_time_ns = 0;  // of the network card's own clock; 0: it told none
};

/// Trades that a venue made and that could not be had.
struct Gap {
  std::uint32_t instrument = 0;  // index into the venue's instruments
  bool has_ids = false;          // of venues whose ids are contiguous
  std::int64_t first_id = 0;     // valid when has_ids, as is the last
  std::int64_t last_id = 0;
  std::int64_t from_time_ns = 0;  // event time of the last trade before the gap
  std::int64_t to_time_ns = 0;    // of the first one behind it
  std::string_view reason;        // why, in words that outlive the program
  // Of a packet feed: which instruments its messages were of is not known.
  bool is_of_any = false;
  std::uint64_t first_message = 0;  // of the feed's session; valid when is_of_any, as is the last
  std::uint64_t last_message = 0;
};

/// One side of a quote.
struct Level {
  Int128 price = 0;  // 10^-18 of quote currency
  Int128 size = 0;   // 10^-18 of base currency; 0 where there is nothing
};

/// An instrument's best bid and ask, as a venue reported them.
struct Quote {
  std::uint32_t instrument = 0;  // index into the venue's instruments
  bool has_seq = false;
  bool has_venue_time = false;  // the venue says since when; it is estimated otherwise
  std::int64_t seq = 0;         // the venue's own order number; valid when has_seq
  Level bid;
  Level ask;
  std::int64_t event_time_ns = 0;
  std::int64_t receive_time_ns = 0;
};

/// An instrument's minute as the venue itself sums it up.
struct Candle {
  std::uint32_t instrument = 0;  // index into the venue's instruments
  bool has_trades = false;       // the venue tells how many trades it is of
  std::int64_t start_ns = 0;     // of the minute, included
  Int128 open = 0;               // prices in 10^-18 of quote currency
  Int128 high = 0;
  Int128 low = 0;
  Int128 close = 0;
  Int128 volume = 0;        // 10^-18 of base currency
  std::int64_t trades = 0;  // valid when has_trades
  std::int64_t receive_time_ns = 0;
};

/// What travels from a venue's thread to the publishers: a trade, the venue's clock, a gap, a quote, or a candle.
struct Message {
  enum class Kind : std::uint8_t { trade, clock, gap, quote, candle };
  Kind kind = Kind::trade;
  std::uint64_t sequence = 0;      // within the session, from 1
  std::int64_t clock_time_ns = 0;  // of a clock
  union {                          // a ring copies the whole message, so it is no larger than its largest kind
    Trade trade;                   // of a trade
    Gap gap;                       // of a gap
    Quote quote;                   // of a quote
    Candle candle;                 // of a candle
  };

  Message() noexcept : trade() {}
};

}  // namespace livetape::bridge
