#include "exchange/venues/bybit.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"
#include "livetape/decimal.hpp"
#include "venue_test.hpp"

namespace livetape::bridge {
namespace {

class BybitTest : public VenueTest<Bybit> {
 protected:
  BybitTest() : VenueTest({"BTC-USDT"}, kList) {}

  static std::string update(const std::string& trades) {
    return R"({"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[)" + trades + "]}";
  }

  static constexpr const char* kList =
      R"({"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"symbol":"BTCUSDT","baseCoin":"BTC",)"
      R"("quoteCoin":"USDT","status":"Trading","lotSizeFilter":{"basePrecision":"0.000001"}}]},"retExtInfo":{}})";
  static constexpr const char* kTrade =
      R"({"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",)"
      R"("i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false})";
};

TEST_F(BybitTest, MessageGivesItsTradesExactly) {
  std::string second = kTrade;
  second.replace(second.find("Buy"), 3, "Sell");
  ASSERT_EQ(decode(update(kTrade + std::string(",") + second)).kind, FrameKind::trades);
  ASSERT_EQ(out_.trades.size(), 2U);
  const Trade& trade = out_.trades[0];
  EXPECT_EQ(trade.id.view(), "20f43950-d8dd-5b31-9112-a178eb6023af");
  EXPECT_FALSE(trade.has_seq);
  EXPECT_EQ(trade.aggressor, Aggressor::buy);
  EXPECT_EQ(out_.trades[1].aggressor, Aggressor::sell);
  EXPECT_TRUE(trade.price == parse_decimal("16578.5").unscaled);
  EXPECT_TRUE(trade.size == parse_decimal("0.001").unscaled);
  EXPECT_EQ(trade.event_time_ns, 1'672'304'486'865'000'000);
}

TEST_F(BybitTest, OtherFramesHoldNoTrade) {
  EXPECT_EQ(decode(R"({"success":true,"ret_msg":"subscribe","conn_id":"a","op":"subscribe"})").kind,
            FrameKind::subscribed);
  EXPECT_EQ(decode(R"({"success":true,"ret_msg":"pong","conn_id":"a","op":"ping"})").kind, FrameKind::ignored);
  const FrameResult refused = decode(R"({"success":false,"ret_msg":"Invalid symbol","conn_id":"a","op":"subscribe"})");
  EXPECT_EQ(refused.kind, FrameKind::refused);
  EXPECT_EQ(refused.reason, "Invalid symbol");
}

TEST_F(BybitTest, OneBadTradeDoesNotCostTheOthers) {
  const FrameResult result = decode(update(R"({"s":"BTCUSDT"},)" + std::string(kTrade)));
  EXPECT_EQ(result.error, DecodeError::missing_field);
  EXPECT_EQ(out_.trades.size(), 1U);
  EXPECT_EQ(decode("{}").error, DecodeError::unknown_frame);
  EXPECT_EQ(decode("").error, DecodeError::malformed_json);
}

TEST_F(BybitTest, SubscribesToTenTopicsAMessage) {
  const std::uint32_t instrument = 0;
  EXPECT_EQ(venue_.subscribe_message(Channel::trades, {&instrument, 1}, true),
            R"({"op":"subscribe","args":["publicTrade.BTCUSDT"]})");
  EXPECT_EQ(venue_.limits().symbols_per_message, 10U);
}

TEST_F(BybitTest, HistoryGivesTheSameTradeAsTheStream) {
  decode(update(kTrade));
  const HistoryQuery query{0, 0, std::nullopt, 0, 0};
  EXPECT_EQ(venue_.history_target(query), "/v5/market/recent-trade?category=spot&limit=60&symbol=BTCUSDT");
  std::vector<Trade> page;
  ASSERT_EQ(venue_.read_history(frame(R"({"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"execId":)"
                                      R"("20f43950-d8dd-5b31-9112-a178eb6023af","symbol":"BTCUSDT","price":"16578.50",)"
                                      R"("size":"0.001","side":"Buy","time":"1672304486865","isBlockTrade":false}]}})"),
                                query, 7, page),
            DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  expect_same(page[0], out_.trades[0]);
  EXPECT_EQ(venue_.read_history(frame(R"({"retCode":10006,"retMsg":"Too many visits!","result":{}})"), query, 7, page),
            DecodeError::missing_field);
}

TEST_F(BybitTest, AnErrorWithAnEmptyListIsNoAnswer) {
  std::vector<Trade> trades;
  std::vector<Candle> candles;
  for (const char* const error :
       {R"({"result":{"category":"spot","list":[]},"retMsg":"busy","retCode":10016,"time":1})",
        R"({"result":{"category":"spot","list":[]},"time":1})"}) {
    EXPECT_EQ(venue_.read_history(frame(error), {}, 7, trades), DecodeError::missing_field) << error;
    EXPECT_EQ(venue_.read_candles(frame(error), {}, 7, candles), DecodeError::missing_field) << error;
    EXPECT_EQ(venue_.read_instruments(frame(error)), DecodeError::missing_field) << error;
  }
  const std::string empty = R"({"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[]},"time":1})";
  EXPECT_EQ(venue_.read_history(frame(empty), {}, 7, trades), DecodeError::none) << "nothing was traded";
  EXPECT_EQ(venue_.read_candles(frame(empty), {}, 7, candles), DecodeError::none);
  const std::string delisted =
      R"({"retCode":10001,"retMsg":"params error: symbol invalid","result":{"category":"","list":[]},"time":1})";
  EXPECT_TRUE(venue_.says_unlisted(frame(delisted)));
  EXPECT_FALSE(venue_.says_unlisted(frame(empty)));
  EXPECT_EQ(venue_.read_instruments(frame(delisted)), DecodeError::missing_field);
}

TEST_F(BybitTest, ARefusalIsToldInItsOwnWordsAndWhetherItIsOfEveryQuestion) {
  expect_refusal(R"({"retCode":10006,"retMsg":"Too many visits!","result":{}})", "10006 Too many visits!", true);
  expect_refusal(R"({"retCode":10018,"retMsg":"slow"})", "10018 slow", true);
  expect_refusal(R"({"retCode":10001,"retMsg":"params error"})", "10001 params error", false);
  for (const char* const answer : {R"({"retCode":0,"retMsg":"OK","result":{}})", R"({"result":{}})", "[]", "<html>"}) {
    EXPECT_FALSE(venue_.refusal(frame(answer))) << answer;
  }
}

TEST_F(BybitTest, AFullPageReachesBackToItsOldestTradeOnly) {
  Trade trade;
  std::vector<Trade> page(60, trade);
  for (std::size_t i = 0; i < page.size(); ++i) page[i].event_time_ns = 1'000 - static_cast<std::int64_t>(i);
  EXPECT_EQ(venue_.complete_since_ns({}, page), 942) << "of that millisecond there may be more";
  page.pop_back();
  EXPECT_EQ(venue_.complete_since_ns({}, page), std::numeric_limits<std::int64_t>::min());
}

TEST_F(BybitTest, BookOfOneLevelGivesTheBestBidAndAsk) {
  ASSERT_EQ(decode(R"({"topic":"orderbook.1.BTCUSDT","ts":1672304484978,"type":"snapshot","data":{"s":"BTCUSDT",)"
                   R"("b":[["16493.50","0.006"]],"a":[],"u":18521288,"seq":7961638724},"cts":1672304484976})")
                .kind,
            FrameKind::quotes);
  ASSERT_EQ(out_.quotes.size(), 1U);
  EXPECT_EQ(out_.quotes[0].seq, 7'961'638'724);
  expect_level(out_.quotes[0].bid, "16493.5", "0.006");
  EXPECT_TRUE(out_.quotes[0].ask.size == 0);
  EXPECT_EQ(out_.quotes[0].event_time_ns, 1'672'304'484'976'000'001) << "behind a trade of its time";
}

TEST_F(BybitTest, ABookThatIsEmptyOnBothSidesIsAQuote) {
  ASSERT_EQ(decode(R"({"topic":"orderbook.1.BTCUSDT","ts":1672304484978,"type":"snapshot","data":{"s":"BTCUSDT",)"
                   R"("b":[],"a":[],"u":18521288,"seq":7961638724},"cts":1672304484976})")
                .kind,
            FrameKind::quotes);
  expect_empty_book(out_.quotes);
  for (const char* sides : {R"("u":18521288)", R"("b":null,"a":null)", R"("b":[[]],"a":[{}])"}) {
    const std::string book = R"({"topic":"orderbook.1.BTCUSDT","data":{"s":"BTCUSDT",)" + std::string(sides);
    EXPECT_EQ(decode(book + R"(},"cts":1672304484976})").error, DecodeError::missing_field) << sides;
  }
}

TEST_F(BybitTest, CandlesAreReadByTheirColumns) {
  const CandleQuery query{0, kMinute, kNextMinute};
  EXPECT_EQ(venue_.candles_target(query),
            "/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1&start=1700000040000&end=1700000100000&limit=100");
  std::vector<Candle> page;
  const std::string answer =
      R"({"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSDT","category":"spot","list":[["1700000100000","17071",)"
      R"("17073","17027","17055.5","26.8611","458000.1"],["1700000040000","17071.5","17071.5","17061","17071","4.177",)"
      R"("71000.2"]]},"retExtInfo":{},"time":1700000115000})";
  ASSERT_EQ(venue_.read_candles(frame(answer), query, 7, page), DecodeError::none);
  ASSERT_EQ(page.size(), 2U);
  expect_candle(page[0], kNextMinute, {"17071", "17073", "17027", "17055.5", "26.8611"}, std::nullopt);
  expect_candle(page[1], kMinute, {"17071.5", "17071.5", "17061", "17071", "4.177"}, std::nullopt);
  EXPECT_EQ(venue_.read_candles(frame(R"({"retCode":10006,"retMsg":"Too many visits!","result":{}})"), query, 7, page),
            DecodeError::missing_field);
}

}  // namespace
}  // namespace livetape::bridge
