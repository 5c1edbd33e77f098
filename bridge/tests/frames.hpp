#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

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

/// Expects a side of a quote by its digits.
inline void expect_level(const livetape::bridge::Level& level, const char* price, const char* size) {
  EXPECT_TRUE(level.price == livetape::parse_decimal(price).unscaled);
  EXPECT_TRUE(level.size == livetape::parse_decimal(size).unscaled);
}
