#include "exchange/kraken.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"
#include "livetape/decimal.hpp"

namespace livetape::bridge {
namespace {

class KrakenTest : public ::testing::Test {
 protected:
  FrameResult decode(const std::string& text) { return venue_.decode(frame(text), 7, trades_); }

  static std::string update(const std::string& trades) {
    return R"({"channel":"trade","type":"update","data":[)" + trades + "]}";
  }
  static std::string trade(const std::string& price, const std::string& timestamp = "2025-11-10T10:00:00.123456Z") {
    return R"({"symbol":"BTC/USDT","side":"sell","price":)" + price +
           R"(,"qty":0.00012345,"ord_type":"limit","trade_id":42,"timestamp":")" + timestamp + "\"}";
  }

  Kraken venue_{{"BTC-USDT"}};
  std::vector<Trade> trades_;
};

TEST_F(KrakenTest, NumbersAreReadByTheirDigits) {
  EXPECT_EQ(decode(update(trade("105123.4") + "," + trade("105123.40000000000000001"))).kind, FrameKind::trades);
  ASSERT_EQ(trades_.size(), 2U);
  EXPECT_TRUE(trades_[0].price == parse_decimal("105123.4").unscaled);
  EXPECT_TRUE(trades_[1].price - trades_[0].price == 10);
  EXPECT_TRUE(trades_[0].size == parse_decimal("0.00012345").unscaled);
  EXPECT_EQ(trades_[0].id.view(), "42");
  EXPECT_EQ(trades_[0].aggressor, Aggressor::sell);
  EXPECT_EQ(trades_[0].event_time_ns, 1'762'768'800'123'456'000);
}

TEST_F(KrakenTest, FramesWithoutTradesAreNoErrors) {
  EXPECT_EQ(decode(R"({"channel":"heartbeat"})").kind, FrameKind::ignored);
  EXPECT_EQ(decode(R"({"channel":"status","type":"update","data":[{"system":"online"}]})").kind, FrameKind::ignored);
  EXPECT_EQ(decode(R"({"method":"pong","req_id":1})").kind, FrameKind::ignored);
  EXPECT_EQ(decode(R"({"method":"subscribe","success":true,"result":{"channel":"trade"}})").kind,
            FrameKind::subscribed);
}

TEST_F(KrakenTest, RefusedSubscriptionIsTold) {
  const FrameResult result =
      decode(R"({"error":"Currency pair not supported X/Y","method":"subscribe","success":false,"symbol":"X/Y"})");
  EXPECT_EQ(result.kind, FrameKind::refused);
  EXPECT_EQ(result.reason, "Currency pair not supported X/Y");
  EXPECT_EQ(decode(R"({"error":"Malformed request","success":false})").kind, FrameKind::refused);
}

TEST_F(KrakenTest, EachFlawHasItsName) {
  EXPECT_EQ(decode(update(trade("1e400"))).error, DecodeError::malformed_price);
  EXPECT_EQ(decode(update(trade("\"1\""))).error, DecodeError::malformed_price);
  EXPECT_EQ(decode(update(trade("1", "2300-01-01T00:00:00Z"))).error, DecodeError::time_out_of_range);
  EXPECT_EQ(decode(update(trade("1", "yesterday"))).error, DecodeError::time_out_of_range);
  EXPECT_EQ(decode(update("{}")).error, DecodeError::missing_field);
  EXPECT_EQ(decode(R"({"channel":"weather"})").error, DecodeError::unknown_frame);
  EXPECT_EQ(decode("garbage").error, DecodeError::malformed_json);
}

TEST_F(KrakenTest, OneBadTradeDoesNotCostTheOthers) {
  const FrameResult result = decode(update(trade("1") + "," + trade("1e400") + ",7," + trade("3")));
  EXPECT_EQ(result.kind, FrameKind::error);
  EXPECT_EQ(result.error, DecodeError::malformed_price);
  ASSERT_EQ(trades_.size(), 2U);
  EXPECT_TRUE(trades_[0].price == parse_decimal("1").unscaled);
  EXPECT_TRUE(trades_[1].price == parse_decimal("3").unscaled);
}

TEST_F(KrakenTest, FrameCutShortIsMalformedWhereverItEnds) {
  const std::string whole = update(trade("1") + "," + trade("2"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(decode(whole.substr(0, size)).kind, FrameKind::error) << whole.substr(0, size);
    EXPECT_TRUE(trades_.empty()) << whole.substr(0, size);
  }
}

TEST_F(KrakenTest, SubscribesBySlashedSymbols) {
  const auto messages = venue_.subscribe_messages();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0],
            R"({"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USDT"],"snapshot":false}})");
}

}  // namespace
}  // namespace livetape::bridge
