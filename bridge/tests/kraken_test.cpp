#include "exchange/venues/kraken.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"
#include "livetape/decimal.hpp"
#include "venue_test.hpp"

namespace livetape::bridge {
namespace {

class KrakenTest : public VenueTest<Kraken> {
 protected:
  KrakenTest() : VenueTest({"BTC-USDT", "DOGE-USD"}, kList) {}

  static std::string update(const std::string& trades) {
    return R"({"channel":"trade","type":"update","data":[)" + trades + "]}";
  }
  static std::string trade(const std::string& price, const std::string& timestamp = "2025-11-10T10:00:00.123456Z") {
    return R"({"symbol":"BTC/USDT","side":"sell","price":)" + price +
           R"(,"qty":0.00012345,"ord_type":"limit","trade_id":42,"timestamp":")" + timestamp + "\"}";
  }

  static constexpr const char* kList =
      R"({"error":[],"result":{"XBTUSDT":{"altname":"XBTUSDT","wsname":"XBT/USDT","aclass_base":"currency",)"
      R"("base":"XXBT","quote":"USDT","lot_decimals":8,"fees":[[0,0.4]]},"XXDGZUSD":{"altname":"XDGUSD",)"
      R"("wsname":"XDG/USD","base":"XXDG","quote":"ZUSD"}}})";

  std::vector<Trade>& trades_ = out_.trades;
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
  EXPECT_EQ(decode(update(trade("1e400"))).error, DecodeError::price_out_of_range);
  EXPECT_EQ(decode(update(trade("\"1\""))).error, DecodeError::malformed_price);
  EXPECT_EQ(decode(update(trade("1", "2300-01-01T00:00:00Z"))).error, DecodeError::time_out_of_range);
  EXPECT_EQ(decode(update(trade("1", "yesterday"))).error, DecodeError::malformed_time);
  EXPECT_EQ(decode(update("{}")).error, DecodeError::missing_field);
  EXPECT_EQ(decode(R"({"channel":"weather"})").error, DecodeError::unknown_frame);
  EXPECT_EQ(decode("garbage").error, DecodeError::malformed_json);
}

TEST_F(KrakenTest, OneBadTradeDoesNotCostTheOthers) {
  const FrameResult result = decode(update(trade("1") + "," + trade("1e400") + ",7," + trade("3")));
  EXPECT_EQ(result.kind, FrameKind::error);
  EXPECT_EQ(result.error, DecodeError::price_out_of_range);
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

TEST_F(KrakenTest, SubscribesBySlashedSymbolsOfTheListInOurNames) {
  const std::vector<std::uint32_t> both{0, 1};
  EXPECT_EQ(venue_.subscribe_message(Channel::trades, both, true),
            R"({"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USDT","DOGE/USD"],"snapshot":false}})");
  EXPECT_EQ(venue_.subscribe_message(Channel::trades, {&both[1], 1}, false),
            R"({"method":"unsubscribe","params":{"channel":"trade","symbol":["DOGE/USD"]}})");
}

TEST_F(KrakenTest, HistoryGivesTheSameTradeAsTheStream) {
  decode(update(trade("105123.4")));
  const HistoryQuery query{0, 42, 42, 1'762'768'799'000'000'001, 0};
  EXPECT_EQ(venue_.history_target(query), "/0/public/Trades?pair=XBTUSDT&since=1762768798999999001&count=1000");
  std::vector<Trade> page;
  const std::string answer =
      R"({"error":[],"result":{"XBTUSDT":[["105123.40000","0.00012345",1762768800.123456,"s","l","",42]],)"
      R"("last":"1762768800123456000"}})";
  ASSERT_EQ(venue_.read_history(frame(answer), query, 7, page), DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  expect_same(page[0], trades_[0]);
  EXPECT_EQ(venue_.read_history(frame(R"({"error":["EGeneral:Too many requests"]})"), query, 7, page),
            DecodeError::missing_field);
  EXPECT_EQ(venue_.read_history(frame(R"({"error":[],"result":{"XBTUSDT":[["1","1"]],"last":"0"}})"), query, 7, page),
            DecodeError::missing_field);
}

TEST_F(KrakenTest, AnErrorIsNoAnswerWhateverResultItHas) {
  std::vector<Trade> trades;
  std::vector<Candle> candles;
  const auto answer = [](const std::string& told) {
    return R"({"result":{"XBTUSDT":[],"last":"0"},"error":[)" + told + "]}";
  };
  const std::string error = answer(R"("WAPI:Slow","EService:Busy")");
  EXPECT_EQ(venue_.read_history(frame(error), {}, 7, trades), DecodeError::missing_field);
  EXPECT_EQ(venue_.read_candles(frame(error), {}, 7, candles), DecodeError::missing_field);
  EXPECT_EQ(venue_.read_instruments(frame(error)), DecodeError::missing_field);
  for (const std::string& good : {answer(""), answer(R"("WAPI:Slow")")}) {
    EXPECT_EQ(venue_.read_history(frame(good), {}, 7, trades), DecodeError::none) << "nothing was traded";
    EXPECT_EQ(venue_.read_candles(frame(good), {}, 7, candles), DecodeError::none);
  }
}

TEST_F(KrakenTest, TickerGivesTheBestBidAndAskByTheirDigits) {
  ASSERT_EQ(decode(R"({"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USDT","bid":0.10025,)"
                   R"("bid_qty":740.0,"ask":0.10036000000000001,"ask_qty":1361.44813783,"last":0.10035,)"
                   R"("timestamp":"2025-11-10T10:00:00.123456Z"}]})")
                .kind,
            FrameKind::quotes);
  ASSERT_EQ(out_.quotes.size(), 1U);
  expect_level(out_.quotes[0].bid, "0.10025", "740");
  expect_level(out_.quotes[0].ask, "0.10036000000000001", "1361.44813783");
  EXPECT_EQ(out_.quotes[0].event_time_ns, 1'762'768'800'123'456'000);
  EXPECT_FALSE(out_.quotes[0].has_seq);
  const std::uint32_t instrument = 0;
  EXPECT_EQ(venue_.subscribe_message(Channel::quotes, {&instrument, 1}, true),
            R"({"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USDT"],"event_trigger":"bbo"}})");
  EXPECT_EQ(decode(R"({"method":"unsubscribe","success":true,"result":{"channel":"trade"}})").kind, FrameKind::ignored);
}

TEST_F(KrakenTest, CandlesOfTheMinutesAskedForAreReadAndTheOneUnderWayIsNot) {
  const CandleQuery query{0, kMinute, kNextMinute};
  EXPECT_EQ(venue_.candles_target(query), "/0/public/OHLC?pair=XBTUSDT&interval=1&since=1699999980");
  std::vector<Candle> page;
  const std::string answer =
      R"({"error":[],"result":{"XBTUSDT":[)"
      R"([1700000040,"30306.1","30306.2","30305.7","30305.9","30306.1","3.39243896",23],)"
      R"([1700000100,"30305.9","30305.9","30305.9","30305.9","0.0","0.00000000",0],)"
      R"([1700000160,"30305.9","30310.0","30305.9","30310.0","30308.1","1.5",2]],"last":1700000100}})";
  ASSERT_EQ(venue_.read_candles(frame(answer), query, 7, page), DecodeError::none);
  ASSERT_EQ(page.size(), 2U);
  expect_candle(page[0], kMinute, {"30306.1", "30306.2", "30305.7", "30305.9", "3.39243896"}, 23);
  expect_candle(page[1], kNextMinute, {"30305.9", "30305.9", "30305.9", "30305.9", "0"}, 0);
  EXPECT_EQ(venue_.read_candles(frame(R"({"error":["EGeneral:Too many requests"]})"), query, 7, page),
            DecodeError::missing_field);
}

TEST_F(KrakenTest, ACandleThatIsBrokenDoesNotCostTheOthers) {
  const CandleQuery query{0, kMinute, kNextMinute};
  std::vector<Candle> page;
  const auto error_of = [&](const std::string& row) {
    page.clear();
    return venue_.read_candles(
        frame(R"({"error":[],"result":{"XBTUSDT":[)" + row + R"(,[1700000100,"1","1","1","1","1","1",1]],"last":1}})"),
        query, 7, page);
  };
  EXPECT_EQ(error_of(R"([1700000040,"x","1","1","1","1","1",1])"), DecodeError::malformed_price);
  EXPECT_EQ(page.size(), 1U);
  EXPECT_EQ(error_of(R"([1700000040,"0","1","1","1","1","1",1])"), DecodeError::price_not_positive);
  EXPECT_EQ(error_of(R"([1700000040,"1","1","1","1","1","1e400",1])"), DecodeError::size_out_of_range);
  EXPECT_EQ(error_of(R"([1700000040,"1","1","1","1","1","-1",1])"), DecodeError::size_not_positive);
  EXPECT_EQ(error_of(R"([1700000041,"1","1","1","1","1","1",1])"), DecodeError::time_out_of_range);
  EXPECT_EQ(error_of(R"(["soon","1","1","1","1","1","1",1])"), DecodeError::time_out_of_range);
  EXPECT_EQ(error_of(R"([1700000040,"1","1","1","1","1","1"])"), DecodeError::missing_field);
  EXPECT_EQ(error_of(R"([1700000040,"1",null,"1","1","1","1",1])"), DecodeError::missing_field);
  EXPECT_EQ(error_of("7"), DecodeError::missing_field);
}

TEST_F(KrakenTest, ARefusalIsToldInItsOwnWordsAndWhetherItIsOfEveryQuestion) {
  for (const std::string error : {"EGeneral:Too many requests", "EGeneral:Temporary lockout", "EService:Unavailable",
                                  "EService:Throttled: 1700000000", "EAPI:Rate limit exceeded"}) {
    expect_refusal(R"({"error":["WGeneral:Danger",")" + error + R"("]})", error, true);
  }
  expect_refusal(R"({"error":["EQuery:Unknown asset pair"],"result":{}})", "EQuery:Unknown asset pair", false);
  for (const char* const answer : {R"({"error":[],"result":{}})", R"({"error":["WGeneral:Danger"]})", "[]", "<html>"}) {
    EXPECT_FALSE(venue_.refusal(frame(answer))) << answer;
  }
}

TEST_F(KrakenTest, AnInstrumentThatIsNotListedIsTold) {
  EXPECT_TRUE(venue_.says_unlisted(frame(R"({"error":["EQuery:Unknown asset pair"]})")));
  EXPECT_FALSE(venue_.says_unlisted(frame(R"({"error":["EGeneral:Too many requests"]})")));
  EXPECT_FALSE(venue_.says_unlisted(frame(R"({"error":[],"result":{}})")));
}

}  // namespace
}  // namespace livetape::bridge
