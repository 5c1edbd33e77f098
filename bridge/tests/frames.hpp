#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/trade.hpp"
#include "livetape/decimal.hpp"

/// A frame with room behind it, as the session hands frames over.
inline std::string frame(std::string text) {
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  return text;
}

/// Expects that two trades tell the same, however they came.
inline void expect_same(const livetape::bridge::Trade& one, const livetape::bridge::Trade& other) {
  EXPECT_EQ(one.instrument, other.instrument);
  EXPECT_EQ(one.id.view(), other.id.view());
  EXPECT_EQ(one.has_seq, other.has_seq);
  EXPECT_EQ(one.seq, other.seq);
  EXPECT_EQ(one.aggressor, other.aggressor);
  EXPECT_TRUE(one.price == other.price);
  EXPECT_TRUE(one.size == other.size);
  EXPECT_EQ(one.event_time_ns, other.event_time_ns);
}

/// A minute that tests of candles ask for, 2023-11-14T22:14:00Z, and the one behind it.
inline constexpr std::int64_t kMinute = 1'700'000'040'000'000'000;
inline constexpr std::int64_t kNextMinute = kMinute + 60'000'000'000;

/// Expects a candle by its digits: open, high, low, close and volume.
inline void expect_candle(const livetape::bridge::Candle& candle, std::int64_t start_ns,
                          const std::array<const char*, 5>& amounts, std::optional<std::int64_t> trades) {
  EXPECT_EQ(candle.start_ns, start_ns);
  EXPECT_TRUE(candle.open == livetape::parse_decimal(amounts[0]).unscaled);
  EXPECT_TRUE(candle.high == livetape::parse_decimal(amounts[1]).unscaled);
  EXPECT_TRUE(candle.low == livetape::parse_decimal(amounts[2]).unscaled);
  EXPECT_TRUE(candle.close == livetape::parse_decimal(amounts[3]).unscaled);
  EXPECT_TRUE(candle.volume == livetape::parse_decimal(amounts[4]).unscaled);
  EXPECT_EQ(candle.has_trades, trades.has_value());
  EXPECT_EQ(candle.trades, trades.value_or(0));
}

/// Expects a side of a quote by its digits.
inline void expect_level(const livetape::bridge::Level& level, const char* price, const char* size) {
  EXPECT_TRUE(level.price == livetape::parse_decimal(price).unscaled);
  EXPECT_TRUE(level.size == livetape::parse_decimal(size).unscaled);
}

/// Expects one quote in which nothing is bid and nothing asked.
inline void expect_empty_book(const std::vector<livetape::bridge::Quote>& quotes) {
  ASSERT_EQ(quotes.size(), 1U);
  EXPECT_TRUE(quotes[0].bid.size == 0);
  EXPECT_TRUE(quotes[0].ask.size == 0);
}
