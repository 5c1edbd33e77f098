#include "core/time.hpp"

#include <gtest/gtest.h>

namespace livetape::bridge {
namespace {

TEST(Rfc3339, IsReadToTheNanosecond) {
  EXPECT_EQ(parse_rfc3339_ns("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_rfc3339_ns("1969-12-31T23:59:59.999999999Z"), -1);
  EXPECT_EQ(parse_rfc3339_ns("2024-02-29T12:34:56.7Z"), 1'709'210'096'700'000'000);
  EXPECT_EQ(parse_rfc3339_ns("2262-04-11T23:47:16.854775807Z"), 9'223'372'036'854'775'807);
}

TEST(Rfc3339, IsReadWithTheOffsetOfItsZone) {
  const auto noon = parse_rfc3339_ns("2024-02-29T12:00:00Z");
  for (const char* text : {"2024-02-29T12:00:00+00:00", "2024-02-29T12:00:00-00:00", "2024-02-29T14:00:00.0+02:00",
                           "2024-03-01T00:45:00+12:45", "2024-02-29T06:30:00-05:30"}) {
    EXPECT_EQ(parse_rfc3339_ns(text), noon) << text;
  }
}

TEST(Rfc3339, BelowANanosecondIsCutOff) {
  EXPECT_EQ(parse_rfc3339_ns("1970-01-01T00:00:00.1234567899Z"), 123'456'789);
  EXPECT_EQ(parse_rfc3339_ns("1969-12-31T23:59:59.99999999999999999999Z"), -1);
  EXPECT_EQ(parse_rfc3339_ns("1970-01-01T01:00:00.0000000019+01:00"), 1);
}

TEST(Rfc3339, OutsideOfInt64OrOfTheCalendarIsRefused) {
  for (const char* text : {"2262-04-11T23:47:16.854775808Z",
                           "2300-01-01T00:00:00Z",
                           "2023-02-29T00:00:00Z",
                           "2024-13-01T00:00:00Z",
                           "2024-01-01T24:00:00Z",
                           "2024-01-01T00:00:60Z",
                           "2024-01-01T00:00:00",
                           "2024-01-01T00:00:00.Z",
                           "2024-01-01T00:00:00.123456789x1Z",
                           "2024-01-01T00:00:00.+01:00",
                           "2024-01-01T00:00:00+01",
                           "2024-01-01T00:00:00+0100",
                           "2024-01-01T00:00:00+24:00",
                           "2024-01-01T00:00:00+01:60",
                           "2024-01-01T00:00:00Z+01:00",
                           "2024-01-01T00:00:00ZZ",
                           "2262-04-11T22:47:16.854775808-01:00",
                           "2024-01-01 00:00:00Z",
                           "",
                           "Z"}) {
    EXPECT_FALSE(parse_rfc3339_ns(text).has_value()) << text;
  }
}

TEST(Rfc3339, IsOneWhetherInt64HoldsItOrNot) {
  EXPECT_TRUE(is_rfc3339("2024-02-29T12:34:56.7Z"));
  EXPECT_TRUE(is_rfc3339("2300-01-01T00:00:00Z"));
  EXPECT_FALSE(is_rfc3339("2023-02-29T00:00:00Z"));
}

TEST(Rfc3339, IsWrittenToTheSecond) {
  EXPECT_EQ(as_rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(as_rfc3339(1'709'210'096'700'000'000), "2024-02-29T12:34:56Z");
  EXPECT_EQ(parse_rfc3339_ns(as_rfc3339(1'700'000'040'000'000'000)), 1'700'000'040'000'000'000);
}

TEST(UnitsOfTime, ThatDoNotFitAreRefused) {
  EXPECT_EQ(units_as_ns(1'723'161'240'122, 1'000'000), 1'723'161'240'122'000'000);
  EXPECT_FALSE(units_as_ns(9'223'372'036'855, 1'000'000).has_value());
}

}  // namespace
}  // namespace livetape::bridge
