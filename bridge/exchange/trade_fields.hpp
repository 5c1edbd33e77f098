#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "core/decode_error.hpp"
#include "core/time.hpp"
#include "core/trade.hpp"

namespace livetape::bridge {

/// When something happened, as a frame or an answer tells it.
struct TimeFields {
  std::optional<std::int64_t> time_ns;
  bool has_time = false;    // a venue may not say; a time that int64 cannot hold is there all the same
  bool is_no_time = false;  // what it says is none at all

  void set_ns(std::optional<std::int64_t> time) noexcept {
    has_time = true;
    time_ns = time;
  }
  void set_units(std::optional<std::int64_t> count, std::int64_t unit_ns) noexcept {
    set_ns(count ? units_as_ns(*count, unit_ns) : std::nullopt);
    is_no_time = !count;
  }
  void set_milliseconds(std::optional<std::int64_t> time_ms) noexcept { set_units(time_ms, 1'000'000); }
  /// Of a venue that tells one or the other: milliseconds come to 10^14 in the year 5138, microseconds did in 1973.
  void set_milliseconds_or_microseconds(std::optional<std::int64_t> time) noexcept {
    constexpr std::int64_t kFirstMicroseconds = 100'000'000'000'000;
    if (!time || *time < kFirstMicroseconds) return set_milliseconds(time);
    set_units(time, 1'000);
  }
  void set_rfc3339(std::optional<std::string_view> time) noexcept {
    has_time = time.has_value();
    time_ns = time ? parse_rfc3339_ns(*time) : std::nullopt;
    is_no_time = time && !time_ns && !is_rfc3339(*time);
  }
  /// Why a time that is told is none.
  [[nodiscard]] DecodeError time_flaw() const noexcept {
    return is_no_time ? DecodeError::malformed_time : DecodeError::time_out_of_range;
  }
};

/// What a frame or an answer says of a trade; nothing where it is missing or of the wrong type. The texts are in the
/// parser's memory until the next frame.
struct TradeFields : TimeFields {
  std::optional<std::string_view> symbol;
  std::optional<std::int64_t> number;  // its id, of venues that order their trades by it
  std::optional<std::int64_t> count;   // how many it stands for, `number` the last of theirs; nothing: itself alone
  std::optional<std::string_view> id;  // its id, of others
  std::optional<std::string_view> price;
  std::optional<std::string_view> size;
  std::optional<Aggressor> aggressor;
  /// The side that took liquidity, by the venue's word for it.
  void set_taker(std::optional<std::string_view> side) noexcept {
    if (!side) return;
    const bool is_buy = side == "buy" || side == "Buy";
    const bool is_sell = side == "sell" || side == "Sell";
    aggressor = is_buy ? Aggressor::buy : is_sell ? Aggressor::sell : Aggressor::unknown;
  }
  /// The side that took liquidity, by the side that did not.
  void set_maker(std::optional<std::string_view> side) noexcept {
    set_taker(side);
    if (!aggressor || aggressor == Aggressor::unknown) return;
    aggressor = aggressor == Aggressor::buy ? Aggressor::sell : Aggressor::buy;
  }
  void set_buyer_is_maker(std::optional<bool> buyer_is_maker) noexcept {
    if (buyer_is_maker) aggressor = *buyer_is_maker ? Aggressor::sell : Aggressor::buy;
  }
};

/// What a frame says of a best bid and ask; nothing where it is missing or of the wrong type.
struct QuoteFields : TimeFields {
  std::optional<std::string_view> symbol;
  std::optional<std::int64_t> seq;
  bool has_list = false;  // of a side's levels, which is empty where nobody offers
  std::optional<std::string_view> bid_price;
  std::optional<std::string_view> bid_size;
  std::optional<std::string_view> ask_price;
  std::optional<std::string_view> ask_size;

  /// Its time is that of the match that made it: it stands from behind that.
  void stand_behind() noexcept {
    if (time_ns == std::numeric_limits<std::int64_t>::max()) return time_ns.reset();
    if (time_ns) ++*time_ns;
  }
};

}  // namespace livetape::bridge
