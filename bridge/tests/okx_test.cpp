#include "exchange/venues/okx.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"
#include "livetape/decimal.hpp"
#include "venue_test.hpp"

namespace livetape::bridge {
namespace {

class OkxTest : public VenueTest<Okx> {
 protected:
  OkxTest() : VenueTest({"BTC-USDT"}, kList) {}

  static constexpr const char* kList =
      R"({"code":"0","data":[{"instType":"SPOT","instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT",)"
      R"("state":"live"}],"msg":""})";
  static constexpr const char* kTrade =
      R"({"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"338476307",)"
      R"("px":"30236","sz":"0.0002","side":"buy","ts":"1652459224855"}]})";
};

TEST_F(OkxTest, TradeFrameGivesTheTradeExactly) {
  ASSERT_EQ(decode(kTrade).kind, FrameKind::trades);
  ASSERT_EQ(out_.trades.size(), 1U);
  const Trade& trade = out_.trades[0];
  EXPECT_EQ(trade.id.view(), "338476307");
  EXPECT_EQ(trade.seq, 338'476'307);
  EXPECT_EQ(trade.aggressor, Aggressor::buy);
  EXPECT_TRUE(trade.price == parse_decimal("30236").unscaled);
  EXPECT_TRUE(trade.size == parse_decimal("0.0002").unscaled);
  EXPECT_EQ(trade.event_time_ns, 1'652'459'224'855'000'000);
}

TEST_F(OkxTest, AFrameOfTheChannelTradesMayStandForSeveral) {
  const auto counted = [&](const std::string& count) {
    return decode(R"({"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"13",)"
                  R"("px":"100","sz":"5","side":"buy","ts":"1652459224855")" +
                  count + "}]}");
  };
  ASSERT_EQ(counted(R"(,"count":"3")").kind, FrameKind::trades);
  ASSERT_EQ(out_.trades.size(), 1U);
  EXPECT_EQ(out_.trades[0].seq, 13);
  EXPECT_EQ(out_.trades[0].numbers, 3U);
  ASSERT_EQ(counted("").kind, FrameKind::trades);
  EXPECT_EQ(out_.trades[0].numbers, 1U);
  for (const char* count : {R"(,"count":"0")", R"(,"count":"15")", R"(,"count":"many")"}) {
    EXPECT_EQ(counted(count).error, DecodeError::bad_trade_id) << count;
  }
}

TEST_F(OkxTest, OtherFramesHoldNoTrade) {
  EXPECT_EQ(decode("pong").kind, FrameKind::ignored);
  EXPECT_EQ(decode(R"({"event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"},"connId":"a4d3"})").kind,
            FrameKind::subscribed);
  EXPECT_EQ(decode(R"({"event":"channel-conn-count","channel":"trades-all","connCount":"1","connId":"a4d3"})").kind,
            FrameKind::ignored);
  EXPECT_EQ(decode(R"({"event":"notice","code":"64008","msg":"The connection will soon be closed."})").kind,
            FrameKind::reconnect);
  EXPECT_EQ(
      decode(R"({"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","last":"1"}]})").kind,
      FrameKind::ignored);
  EXPECT_TRUE(out_.trades.empty());
  const FrameResult refused =
      decode(R"({"event":"error","code":"60018","msg":"Wrong URL or channel","connId":"a4d3"})");
  EXPECT_EQ(refused.kind, FrameKind::refused);
  EXPECT_EQ(refused.reason, "Wrong URL or channel");
}

TEST_F(OkxTest, EachFlawHasItsName) {
  EXPECT_EQ(decode("ping").error, DecodeError::malformed_json);
  EXPECT_EQ(decode("{}").error, DecodeError::unknown_frame);
  std::string broken = kTrade;
  broken.replace(broken.find("338476307"), 9, "many");
  EXPECT_EQ(decode(broken).error, DecodeError::missing_field);
}

TEST_F(OkxTest, SubscribesByArguments) {
  const std::uint32_t instrument = 0;
  EXPECT_EQ(venue_.subscribe_message(Channel::trades, {&instrument, 1}, false),
            R"({"op":"unsubscribe","args":[{"channel":"trades-all","instId":"BTC-USDT"}]})");
}

TEST_F(OkxTest, HistoryGivesTheSameTradeAsTheStream) {
  decode(kTrade);
  const HistoryQuery query{0, 338'476'300, 338'476'307, 0, 0};
  EXPECT_EQ(venue_.history_target(query),
            "/api/v5/market/history-trades?instId=BTC-USDT&type=1&limit=100&after=338476308");
  std::vector<Trade> page;
  ASSERT_EQ(venue_.read_history(frame(R"({"code":"0","msg":"","data":[{"instId":"BTC-USDT","side":"buy","sz":"0.0002",)"
                                      R"("px":"30236","tradeId":"338476307","ts":"1652459224855"}]})"),
                                query, 7, page),
            DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  expect_same(page[0], out_.trades[0]);
  EXPECT_EQ(venue_.read_history(frame(R"({"code":"50011","msg":"Too Many Requests","data":[]})"), query, 7, page),
            DecodeError::missing_field);
}

TEST_F(OkxTest, AnErrorIsNoListOfInstruments) {
  EXPECT_EQ(venue_.read_instruments(frame(R"({"code":"50011","msg":"Too Many Requests","data":[]})")),
            DecodeError::missing_field);
}

TEST_F(OkxTest, BestBidAndAskAreThoseOfTheInstrumentBeforeThem) {
  ASSERT_EQ(decode(R"({"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["111.06","55154","0","2"]],)"
                   R"("bids":[["111.05","57745","0","2"]],"ts":"1670324386802","seqId":363996337}]})")
                .kind,
            FrameKind::quotes);
  ASSERT_EQ(out_.quotes.size(), 1U);
  EXPECT_EQ(out_.quotes[0].seq, 363'996'337);
  expect_level(out_.quotes[0].bid, "111.05", "57745");
  expect_level(out_.quotes[0].ask, "111.06", "55154");
  EXPECT_EQ(out_.quotes[0].event_time_ns, 1'670'324'386'802'000'001) << "behind a trade of its time";
  EXPECT_EQ(venue_.path(Channel::quotes), "/ws/v5/public");
}

TEST_F(OkxTest, ABookThatIsEmptyOnBothSidesIsAQuote) {
  ASSERT_EQ(decode(R"({"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[],"bids":[],)"
                   R"("ts":"1670324386802","seqId":363996337}]})")
                .kind,
            FrameKind::quotes);
  expect_empty_book(out_.quotes);
  EXPECT_EQ(decode(R"({"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"ts":"1670324386802"}]})").error,
            DecodeError::missing_field);
}

TEST_F(OkxTest, CandlesAreReadByTheirColumns) {
  const CandleQuery query{0, kMinute, kNextMinute};
  EXPECT_EQ(venue_.candles_target(query),
            "/api/v5/market/candles?instId=BTC-USDT&bar=1m&before=1700000039999&after=1700000160000&limit=100");
  std::vector<Candle> page;
  const std::string answer =
      R"({"code":"0","msg":"","data":[["1700000100000","3.721","3.743","3.677","3.708","8422410","22698348.04",)"
      R"("12698348.04","0"],["1700000040000","3.731","3.799","3.494","3.72","24912403","67632347.24","37632347.24",)"
      R"("1"]]})";
  ASSERT_EQ(venue_.read_candles(frame(answer), query, 7, page), DecodeError::none);
  ASSERT_EQ(page.size(), 1U);  // the venue has not closed the other one
  expect_candle(page[0], kMinute, {"3.731", "3.799", "3.494", "3.72", "24912403"}, std::nullopt);
  EXPECT_EQ(venue_.read_candles(frame(R"({"code":"50011","msg":"Too Many Requests","data":[]})"), query, 7, page),
            DecodeError::missing_field);
}

TEST_F(OkxTest, ARefusalIsToldInItsOwnWordsAndWhetherItIsOfEveryQuestion) {
  expect_refusal(R"({"code":"50011","msg":"Too Many Requests","data":[]})", "50011 Too Many Requests", true);
  expect_refusal(R"({"code":"50013","msg":"Systems are busy"})", "50013 Systems are busy", true);
  expect_refusal(R"({"code":"51001","msg":"Instrument ID does not exist"})", "51001 Instrument ID does not exist",
                 false);
  for (const char* const answer : {R"({"code":"0","msg":"","data":[]})", R"({"data":[]})", "[]", "<html>"}) {
    EXPECT_FALSE(venue_.refusal(frame(answer))) << answer;
  }
}

TEST_F(OkxTest, AnInstrumentThatIsNotListedIsTold) {
  EXPECT_TRUE(venue_.says_unlisted(frame(R"({"code":"51001","msg":"Instrument ID does not exist","data":[]})")));
  EXPECT_FALSE(venue_.says_unlisted(frame(R"({"code":"50011","msg":"Too Many Requests","data":[]})")));
  EXPECT_FALSE(venue_.says_unlisted(frame(R"({"code":"0","msg":"","data":[]})")));
}

}  // namespace
}  // namespace livetape::bridge
