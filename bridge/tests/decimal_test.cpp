#include "livetape/decimal.hpp"

#include <gtest/gtest.h>

namespace livetape {
namespace {

constexpr Int128 kOne = static_cast<Int128>(1'000'000'000) * 1'000'000'000;  // 1 with 18 decimals

Int128 parsed(std::string_view text) {
  const ParsedDecimal result = parse_decimal(text);
  EXPECT_EQ(result.error, DecimalError::none) << text;
  return result.unscaled;
}

TEST(Decimal, IsReadExactly) {
  EXPECT_TRUE(parsed("1") == kOne);
  EXPECT_TRUE(parsed("-2.5") == -kOne * 5 / 2);
  EXPECT_TRUE(parsed("61234.10") == kOne * 6123410 / 100);
  EXPECT_TRUE(parsed("0.000000000000000001") == 1);
  EXPECT_TRUE(parsed("1e-18") == 1);
  EXPECT_TRUE(parsed("12.5E+3") == kOne * 12500);
  EXPECT_TRUE(parsed("0e400") == 0);
  EXPECT_TRUE(parsed("1.50000000000000000000000000000000000000000000") == kOne * 3 / 2);
}

TEST(Decimal, HoldsThirtyEightDigits) {
  EXPECT_TRUE(static_cast<UInt128>(parsed("99999999999999999999.999999999999999999")) == kDecimalLimit - 1);
  EXPECT_EQ(parse_decimal("100000000000000000000").error, DecimalError::out_of_range);
}

TEST(Decimal, IsRefusedRatherThanRounded) {
  EXPECT_EQ(parse_decimal("0.0000000000000000001").error, DecimalError::too_precise);
  EXPECT_EQ(parse_decimal("1e400").error, DecimalError::out_of_range);
  EXPECT_EQ(parse_decimal("1e-400").error, DecimalError::too_precise);
}

TEST(Decimal, OfAnotherNotationIsMalformed) {
  for (const char* text : {"", "-", ".5", "1.", "1e", "1e+", "0x10", "1 ", "NaN", "1,5", "--1"}) {
    EXPECT_EQ(parse_decimal(text).error, DecimalError::malformed) << text;
  }
}

TEST(Decimal, IsEncodedInTheFewestBytesAndReadBack) {
  for (const Int128 value : {Int128{0}, Int128{127}, Int128{128}, Int128{-128}, Int128{-129}, kOne, -kOne,
                             static_cast<Int128>(kDecimalLimit - 1)}) {
    std::uint8_t bytes[kMaxDecimalBytes];
    const std::size_t size = encode_decimal(value, bytes);
    Int128 back = 1;
    EXPECT_TRUE(decode_decimal({bytes, size}, back));
    EXPECT_TRUE(back == value);
    const bool has_spare_byte =
        size > 1 && ((bytes[0] == 0x00 && bytes[1] < 0x80) || (bytes[0] == 0xff && bytes[1] >= 0x80));
    EXPECT_FALSE(has_spare_byte);
  }
}

TEST(Notional, HasAZeroByteBeforeAHighBit) {
  std::uint8_t bytes[kMaxNotionalBytes];
  EXPECT_EQ(encode_notional(UInt256(UInt128{128}), bytes), 2U);
  EXPECT_EQ(bytes[0], 0);
  EXPECT_EQ(bytes[1], 128);
  EXPECT_EQ(encode_notional(UInt256(), bytes), 1U);
  EXPECT_EQ(encode_notional(UInt256::product(~UInt128{0}, ~UInt128{0}), bytes), 33U);
}

}  // namespace
}  // namespace livetape
