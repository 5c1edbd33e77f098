#include "exchange/venues/binance_usdm.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"
#include "livetape/decimal.hpp"
#include "venue_test.hpp"

namespace livetape::bridge {
namespace {

class BinanceUsdmTest : public VenueTest<BinanceUsdm> {
 protected:
  BinanceUsdmTest() : VenueTest({"AKRO-USDT", "XAU-USDT"}, kList) {}

  static constexpr const char* kList =
      R"({"timezone":"UTC","symbols":[{"symbol":"AKROUSDT_210924","contractType":"CURRENT_QUARTER","baseAsset":"AKRO",)"
      R"("quoteAsset":"USDT"},{"symbol":"AKROUSDT","pair":"AKROUSDT","contractType":"PERPETUAL","status":"TRADING",)"
      R"("baseAsset":"AKRO","quoteAsset":"USDT","filters":[{"tickSize":"0.1"}]},{"symbol":"XAUUSDT","pair":"XAUUSDT",)"
      R"("contractType":"TRADIFI_PERPETUAL","status":"TRADING","baseAsset":"XAU","quoteAsset":"USDT"}]})";
  static constexpr const char* kTrade =
      R"({"stream":"akrousdt@aggTrade","data":{"e":"aggTrade","E":1626992742291,"a":14888302,"s":"AKROUSDT",)"
      R"("p":"0.01731","q":"312","f":27931348,"l":27931348,"T":1626992742134,"m":true}})";
};

TEST_F(BinanceUsdmTest, AggregateGivesTheTradeExactly) {
  ASSERT_EQ(decode(kTrade).kind, FrameKind::trades);
  ASSERT_EQ(out_.trades.size(), 1U);
  const Trade& trade = out_.trades[0];
  EXPECT_EQ(trade.id.view(), "14888302");
  EXPECT_EQ(trade.seq, 14'888'302);
  EXPECT_EQ(trade.aggressor, Aggressor::sell);
  EXPECT_TRUE(trade.price == parse_decimal("0.01731").unscaled);
  EXPECT_TRUE(trade.size == parse_decimal("312").unscaled);
  EXPECT_EQ(trade.event_time_ns, 1'626'992'742'134'000'000);
}

TEST_F(BinanceUsdmTest, ByARawEndpointAnEventHasNoEnvelope) {
  decode(kTrade);
  const Trade combined = out_.trades[0];
  ASSERT_EQ(decode(R"({"e":"aggTrade","E":1626992742291,"a":14888302,"s":"AKROUSDT","p":"0.01731","q":"312",)"
                   R"("f":27931348,"l":27931348,"T":1626992742134,"m":true})")
                .kind,
            FrameKind::trades);
  ASSERT_EQ(out_.trades.size(), 1U);
  expect_same(out_.trades[0], combined);
  ASSERT_EQ(decode(R"({"e":"bookTicker","u":600859600576,"s":"AKROUSDT","b":"0.01730","B":"2","a":"0.01731","A":"297",)"
                   R"("T":1626992741012,"E":1626992741017})")
                .kind,
            FrameKind::quotes);
  expect_level(out_.quotes[0].ask, "0.01731", "297");
  EXPECT_EQ(decode(R"({"e":"markPriceUpdate","s":"AKROUSDT"})").kind, FrameKind::ignored);
}

TEST_F(BinanceUsdmTest, ShutdownOfTheServerAsksForAnotherConnection) {
  EXPECT_EQ(decode(R"({"e":"serverShutdown","E":1770123456789})").kind, FrameKind::reconnect);
}

TEST_F(BinanceUsdmTest, OtherFramesHoldNoTrade) {
  for (const char* frame : {R"({"error":{"code":2,"msg":"Invalid request"},"id":1})",
                            R"({"code":2,"msg":"Invalid request","id":1})", R"({"code":2,"msg":"Invalid request"})"}) {
    const FrameResult refused = decode(frame);
    EXPECT_EQ(refused.kind, FrameKind::refused) << frame;
    EXPECT_EQ(refused.reason, "Invalid request") << frame;
  }
}

TEST_F(BinanceUsdmTest, EachFlawHasItsName) {
  EXPECT_EQ(decode("{").error, DecodeError::malformed_json);
  EXPECT_EQ(decode(R"({"stream":"x","data":{"e":"news"}})").error, DecodeError::unknown_frame);
  EXPECT_EQ(decode(R"({"stream":"x","data":{"e":"aggTrade","s":"AKROUSDT"}})").error, DecodeError::missing_field);
}

TEST_F(BinanceUsdmTest, SubscribesToPerpetualContracts) {
  const std::uint32_t instruments[] = {0, 1};
  EXPECT_EQ(venue_.subscribe_message(Channel::trades, instruments, true),
            R"({"method":"SUBSCRIBE","params":["akrousdt@aggTrade","xauusdt@aggTrade"],"id":1})");
}

TEST_F(BinanceUsdmTest, HistoryGivesTheSameTradeAsTheStream) {
  decode(kTrade);
  const HistoryQuery query{0, 14'888'302, 14'888'310, 0, 0};
  EXPECT_EQ(venue_.history_target(query), "/fapi/v1/aggTrades?symbol=AKROUSDT&fromId=14888302&limit=1000");
  std::vector<Trade> page;
  ASSERT_EQ(venue_.read_history(frame(R"([{"a":14888302,"p":"0.01731","q":"312","f":27931348,"l":27931348,)"
                                      R"("T":1626992742134,"m":true}])"),
                                query, 7, page),
            DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  expect_same(page[0], out_.trades[0]);
}

TEST_F(BinanceUsdmTest, BookTickerGivesTheBestBidAndAskOfAnotherEndpoint) {
  ASSERT_EQ(decode(R"({"stream":"akrousdt@bookTicker","data":{"e":"bookTicker","u":600859600576,"s":"AKROUSDT",)"
                   R"("b":"0.01730","B":"2","a":"0.01731","A":"297","T":1626992741012,"E":1626992741017}})")
                .kind,
            FrameKind::quotes);
  ASSERT_EQ(out_.quotes.size(), 1U);
  expect_level(out_.quotes[0].bid, "0.0173", "2");
  expect_level(out_.quotes[0].ask, "0.01731", "297");
  EXPECT_EQ(out_.quotes[0].event_time_ns, 1'626'992'741'012'000'001) << "behind an aggTrade of its time";
  EXPECT_TRUE(out_.quotes[0].has_venue_time);
  EXPECT_EQ(venue_.path(Channel::quotes), "/public/stream");
}

TEST_F(BinanceUsdmTest, KlinesCountFillsSoTheirCountIsNotTold) {
  const CandleQuery query{0, kMinute, kMinute};
  EXPECT_EQ(venue_.candles_target(query),
            "/fapi/v1/klines?symbol=AKROUSDT&interval=1m&startTime=1700000040000&endTime=1700000040000&limit=100");
  std::vector<Candle> page;
  const std::string answer =
      R"([[1700000040000,"0.01731","0.01740","0.01725","0.01733","312000",1700000099999,"5400.1",41,"1000","17.3","0"]])";
  ASSERT_EQ(venue_.read_candles(frame(answer), query, 7, page), DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  expect_candle(page[0], kMinute, {"0.01731", "0.0174", "0.01725", "0.01733", "312000"}, std::nullopt);
}

}  // namespace
}  // namespace livetape::bridge
