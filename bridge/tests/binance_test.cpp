#include "exchange/binance.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"
#include "livetape/decimal.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kReceived = 1'723'161'240'000'000'000;

class BinanceTest : public ::testing::Test {
 protected:
  FrameResult decode(const std::string& text) { return venue_.decode(frame(text), kReceived, trades_); }
  DecodeError error_of(const std::string& field, const std::string& value) {
    std::string text = kTrade;
    const auto at = text.find("\"" + field + "\":");
    const auto from = text.find(':', at) + 1;
    text.replace(from, text.find_first_of(",}", from) - from, value);
    return decode(text).error;
  }

  static constexpr const char* kTrade =
      R"({"stream":"ethusdt@trade","data":{"e":"trade","E":1723161240123,"s":"ETHUSDT","t":1557,"p":"2683.12000000",)"
      R"("q":"0.00440000","T":1723161240122,"m":true,"M":true}})";

  Binance venue_{{"BTC-USDT", "ETH-USDT"}};
  std::vector<Trade> trades_;
};

TEST_F(BinanceTest, TradeFrameGivesTheTradeExactly) {
  EXPECT_EQ(decode(kTrade).kind, FrameKind::trades);
  ASSERT_EQ(trades_.size(), 1U);
  const Trade& trade = trades_[0];
  EXPECT_EQ(trade.instrument, 1U);
  EXPECT_EQ(trade.id.view(), "1557");
  EXPECT_EQ(trade.seq, 1557);
  EXPECT_TRUE(trade.price == parse_decimal("2683.12").unscaled);
  EXPECT_TRUE(trade.size == parse_decimal("0.0044").unscaled);
  EXPECT_EQ(trade.event_time_ns, 1'723'161'240'122'000'000);
  EXPECT_EQ(trade.receive_time_ns, kReceived);
}

TEST_F(BinanceTest, AggressorIsTheSideThatWasNotTheMaker) {
  decode(kTrade);
  EXPECT_EQ(trades_[0].aggressor, Aggressor::sell);
  std::string bought = kTrade;
  bought.replace(bought.find("true"), 4, "false");
  decode(bought);
  EXPECT_EQ(trades_[0].aggressor, Aggressor::buy);
}

TEST_F(BinanceTest, FramesWithoutTradesAreNoErrors) {
  EXPECT_EQ(decode(R"({"result":null,"id":1})").kind, FrameKind::subscribed);
  EXPECT_EQ(
      decode(R"({"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}})").kind,
      FrameKind::ignored);
  EXPECT_EQ(decode(R"({"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1}})").kind, FrameKind::ignored);
  EXPECT_TRUE(trades_.empty());
}

TEST_F(BinanceTest, RefusedSubscriptionIsTold) {
  const FrameResult result = decode(R"({"error":{"code":2,"msg":"Invalid request"},"id":1})");
  EXPECT_EQ(result.kind, FrameKind::refused);
  EXPECT_EQ(result.reason, "Invalid request");
}

TEST_F(BinanceTest, EachFlawHasItsName) {
  EXPECT_EQ(decode("{").error, DecodeError::malformed_json);
  EXPECT_EQ(decode("[1,2]").error, DecodeError::malformed_json);
  EXPECT_EQ(decode("").error, DecodeError::malformed_json);
  EXPECT_EQ(decode(R"({"stream":"x","data":{"e":"news"}})").error, DecodeError::unknown_frame);
  EXPECT_EQ(error_of("p", "\"1e400\""), DecodeError::malformed_price);
  EXPECT_EQ(error_of("p", "\"0.0\""), DecodeError::price_not_positive);
  EXPECT_EQ(error_of("q", "\"-1\""), DecodeError::size_not_positive);
  EXPECT_EQ(error_of("q", "\"one\""), DecodeError::malformed_size);
  EXPECT_EQ(error_of("s", "\"DOGEUSDT\""), DecodeError::unknown_instrument);
  EXPECT_EQ(error_of("T", "9223372036854775807"), DecodeError::time_out_of_range);
  EXPECT_EQ(error_of("t", "-5"), DecodeError::bad_trade_id);
  EXPECT_EQ(error_of("t", "\"x\""), DecodeError::missing_field);
}

TEST_F(BinanceTest, FrameCutShortIsMalformedWhereverItEnds) {
  const std::string whole = kTrade;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(decode(whole.substr(0, size)).kind, FrameKind::error) << whole.substr(0, size);
    EXPECT_TRUE(trades_.empty()) << whole.substr(0, size);
  }
  EXPECT_EQ(decode(whole + "}").error, DecodeError::malformed_json);
  EXPECT_EQ(decode(whole + " \n").kind, FrameKind::trades);
}

TEST_F(BinanceTest, SubscribesInChunks) {
  std::vector<std::string> many;
  for (int i = 0; i < 450; ++i) many.push_back("A" + std::to_string(i) + "-USDT");
  const auto messages = Binance(many).subscribe_messages();
  ASSERT_EQ(messages.size(), 3U);
  EXPECT_EQ(messages[0].substr(0, 44), R"({"method":"SUBSCRIBE","params":["a0usdt@trad)");
}

}  // namespace
}  // namespace livetape::bridge
