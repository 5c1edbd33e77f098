#include "exchange/venues/binance.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"
#include "livetape/decimal.hpp"
#include "venue_test.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kReceived = 1'723'161'240'000'000'000;

class BinanceTest : public VenueTest<Binance> {
 protected:
  BinanceTest() : VenueTest({"BTC-USDT", "ETH-USDT", "X-USDT"}, kList, kReceived) {}

  DecodeError error_of(const std::string& field, const std::string& value) {
    std::string text = kTrade;
    const auto at = text.find("\"" + field + "\":");
    const auto from = text.find(':', at) + 1;
    text.replace(from, text.find_first_of(",}", from) - from, value);
    return decode(text).error;
  }

  static constexpr const char* kList =
      R"({"timezone":"UTC","serverTime":1723161240123,"rateLimits":[],"symbols":[{"symbol":"ETHUSDT","status":"TRADING",)"
      R"("baseAsset":"ETH","baseAssetPrecision":8,"quoteAsset":"USDT","permissions":[]},{"symbol":"BTCUSDT",)"
      R"("status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT"},{"symbol":"BNBBTC","baseAsset":"BNB",)"
      R"("quoteAsset":"BTC"}]})";
  static constexpr const char* kTrade =
      R"({"stream":"ethusdt@trade","data":{"e":"trade","E":1723161240123,"s":"ETHUSDT","t":1557,"p":"2683.12000000",)"
      R"("q":"0.00440000","T":1723161240122,"m":true,"M":true}})";

  std::vector<Trade>& trades_ = out_.trades;
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

TEST_F(BinanceTest, AnAddressWithTimeUnitMicrosecondGivesTimesOfMicroseconds) {
  std::string text = kTrade;
  text.replace(text.rfind("1723161240122"), 13, "1723161240122345");
  decode(text);
  ASSERT_EQ(trades_.size(), 1U);
  EXPECT_EQ(trades_[0].event_time_ns, 1'723'161'240'122'345'000);
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
  EXPECT_EQ(decode(R"({"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1}})").kind, FrameKind::ignored);
  EXPECT_TRUE(trades_.empty());
}

TEST_F(BinanceTest, RefusedSubscriptionIsTold) {
  for (const char* frame : {R"({"error":{"code":2,"msg":"Invalid request"},"id":1})",
                            R"({"code":2,"msg":"Invalid request","id":1})", R"({"code":2,"msg":"Invalid request"})"}) {
    const FrameResult result = decode(frame);
    EXPECT_EQ(result.kind, FrameKind::refused) << frame;
    EXPECT_EQ(result.reason, "Invalid request") << frame;
  }
}

TEST_F(BinanceTest, EachFlawHasItsName) {
  EXPECT_EQ(decode("{").error, DecodeError::malformed_json);
  EXPECT_EQ(decode("[1,2]").error, DecodeError::malformed_json);
  EXPECT_EQ(decode("").error, DecodeError::malformed_json);
  EXPECT_EQ(decode(R"({"stream":"x","data":{"e":"news"}})").error, DecodeError::unknown_frame);
  EXPECT_EQ(error_of("p", "\"1e400\""), DecodeError::price_out_of_range);
  EXPECT_EQ(error_of("p", "\"1e-19\""), DecodeError::price_too_precise);
  EXPECT_EQ(error_of("q", "\"1e20\""), DecodeError::size_out_of_range);
  EXPECT_EQ(error_of("q", "\"0.0000000000000000001\""), DecodeError::size_too_precise);
  EXPECT_EQ(error_of("p", "\"1.2.3\""), DecodeError::malformed_price);
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

TEST_F(BinanceTest, ShutdownOfTheServerAsksForAnotherConnection) {
  EXPECT_EQ(decode(R"({"e":"serverShutdown","E":1770123456789})").kind, FrameKind::reconnect);
}

TEST_F(BinanceTest, InstrumentsAreThoseOfItsOwnList) {
  EXPECT_TRUE(venue_.is_listed(0));
  EXPECT_TRUE(venue_.is_listed(1));
  EXPECT_FALSE(venue_.is_listed(2));
  EXPECT_EQ(venue_.read_instruments(frame("[]")), DecodeError::malformed_json);
  EXPECT_EQ(venue_.read_instruments(frame(R"({"code":-1121,"msg":"Invalid symbol."})")), DecodeError::missing_field);
}

TEST_F(BinanceTest, ANameThatIsNotAsciiIsEncodedInRequestsAlone) {
  Binance venue({"币安人生-USDT"});
  ASSERT_EQ(venue.read_instruments(frame(R"({"symbols":[{"symbol":"币安人生USDT","baseAsset":"币安人生",)"
                                         R"("quoteAsset":"USDT"}]})")),
            DecodeError::none);
  const std::uint32_t only = 0;
  EXPECT_EQ(venue.subscribe_message(Channel::trades, {&only, 1}, true),
            R"({"method":"SUBSCRIBE","params":["币安人生usdt@trade"],"id":1})");
  const std::string encoded = "%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT";
  EXPECT_EQ(venue.history_target({0, 7, 7, 0, 0}),
            "/api/v3/historicalTrades?symbol=" + encoded + "&fromId=7&limit=1000");
  EXPECT_TRUE(venue.candles_target({0, kMinute, kNextMinute}).starts_with("/api/v3/klines?symbol=" + encoded + "&"));
}

TEST_F(BinanceTest, SubscribesAndUnsubscribesByStream) {
  const std::vector<std::uint32_t> both{0, 1};
  EXPECT_EQ(venue_.subscribe_message(Channel::trades, both, true),
            R"({"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1})");
  EXPECT_EQ(venue_.subscribe_message(Channel::trades, {&both[1], 1}, false),
            R"({"method":"UNSUBSCRIBE","params":["ethusdt@trade"],"id":1})");
}

TEST_F(BinanceTest, HistoryGivesTheSameTradeAsTheStream) {
  decode(kTrade);
  const HistoryQuery query{1, 1'557, 1'560, 0, 0};
  EXPECT_EQ(venue_.history_target(query), "/api/v3/historicalTrades?symbol=ETHUSDT&fromId=1557&limit=1000");
  std::vector<Trade> page;
  const std::string answer =
      R"([{"id":1557,"price":"2683.12000000","qty":"0.00440000","quoteQty":"11.80572800","time":1723161240122,)"
      R"("isBuyerMaker":true,"isBestMatch":true}])";
  ASSERT_EQ(venue_.read_history(frame(answer), query, kReceived, page), DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  expect_same(page[0], trades_[0]);
  EXPECT_EQ(venue_.read_history(frame("[]"), query, kReceived, page), DecodeError::none);
  EXPECT_EQ(venue_.read_history(frame(R"({"code":-1003})"), query, kReceived, page), DecodeError::malformed_json);
  EXPECT_EQ(venue_.read_history(frame(R"([{"id":1}])"), query, kReceived, page), DecodeError::missing_field);
}

TEST_F(BinanceTest, BookTickerGivesTheBestBidAndAskAtTheTimeWeReadIt) {
  ASSERT_EQ(decode(R"({"stream":"ethusdt@bookTicker","data":{"u":400900217,"s":"ETHUSDT","b":"25.35190000",)"
                   R"("B":"31.21000000","a":"25.36520000","A":"40.66000000"}})")
                .kind,
            FrameKind::quotes);
  ASSERT_EQ(out_.quotes.size(), 1U);
  const Quote& quote = out_.quotes[0];
  EXPECT_EQ(quote.instrument, 1U);
  EXPECT_EQ(quote.seq, 400'900'217);
  expect_level(quote.bid, "25.3519", "31.21");
  expect_level(quote.ask, "25.3652", "40.66");
  EXPECT_EQ(quote.event_time_ns, kReceived);
  EXPECT_FALSE(quote.has_venue_time);
  const std::uint32_t instrument = 1;
  EXPECT_EQ(venue_.subscribe_message(Channel::quotes, {&instrument, 1}, true),
            R"({"method":"SUBSCRIBE","params":["ethusdt@bookTicker"],"id":1})");
}

TEST_F(BinanceTest, ASideOfTheBookThatIsEmptyIsLeftOut) {
  decode(R"({"stream":"x","data":{"u":1,"s":"ETHUSDT","b":"0.00000000","B":"0.00000000","a":"2","A":"3"}})");
  ASSERT_EQ(out_.quotes.size(), 1U);
  EXPECT_TRUE(out_.quotes[0].bid.size == 0);
  EXPECT_EQ(decode(R"({"stream":"x","data":{"u":1,"s":"ETHUSDT","b":"1e400","B":"1","a":"2","A":"3"}})").error,
            DecodeError::price_out_of_range);
  EXPECT_TRUE(out_.quotes.empty());
}

TEST_F(BinanceTest, KlinesAreCandlesWithTheirTradesCounted) {
  const CandleQuery query{1, kMinute, kNextMinute};
  EXPECT_EQ(venue_.candles_target(query),
            "/api/v3/klines?symbol=ETHUSDT&interval=1m&startTime=1700000040000&endTime=1700000100000&limit=100");
  std::vector<Candle> page;
  const std::string answer =
      R"([[1700000040000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1700000099999,)"
      R"("2434.19055334",308,"1756.87402397","28.46694368","0"],)"
      R"([1700000160000,"1","1","1","1","1",1700000219999,"1",1,"1","1","0"]])";
  ASSERT_EQ(venue_.read_candles(frame(answer), query, kReceived, page), DecodeError::none);
  ASSERT_EQ(page.size(), 1U);  // the other one was not asked for
  EXPECT_EQ(page[0].instrument, 1U);
  EXPECT_EQ(page[0].receive_time_ns, kReceived);
  expect_candle(page[0], kMinute, {"0.0163479", "0.8", "0.015758", "0.015771", "148976.11427815"}, 308);
  EXPECT_EQ(venue_.read_candles(frame(R"({"code":-1121,"msg":"Invalid symbol."})"), query, kReceived, page),
            DecodeError::malformed_json);
}

TEST_F(BinanceTest, AnInstrumentThatIsNotListedIsTold) {
  EXPECT_TRUE(venue_.says_unlisted(frame(R"({"code":-1121,"msg":"Invalid symbol."})")));
  EXPECT_FALSE(venue_.says_unlisted(frame(R"({"code":-1003,"msg":"Too many requests."})")));
  EXPECT_FALSE(venue_.says_unlisted(frame(R"([])")));
  EXPECT_FALSE(venue_.says_unlisted(frame(R"(<html>)")));
}

}  // namespace
}  // namespace livetape::bridge
