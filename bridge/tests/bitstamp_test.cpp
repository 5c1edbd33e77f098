#include "exchange/venues/bitstamp.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"
#include "livetape/decimal.hpp"
#include "venue_test.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

class BitstampTest : public VenueTest<Bitstamp> {
 protected:
  BitstampTest() : VenueTest({"XRP-EUR", "ETH-USD"}, kList) {}

  static constexpr const char* kList =
      R"([{"base_decimals":8,"minimum_order":"10.0 USD","name":"ETH/USD","counter_decimals":2,"trading":"Enabled",)"
      R"("url_symbol":"ethusd","description":"Ether / U.S. dollar"},{"name":"XRP/EUR","url_symbol":"xrpeur"}])";
  static constexpr const char* kTrade =
      R"({"data":{"id":216000484,"timestamp":"1641343709","amount":0.931,"amount_str":"0.93100000","price":3802.93,)"
      R"("price_str":"3802.93","type":1,"microtimestamp":"1641343709599000","buy_order_id":1443875774971904,)"
      R"("sell_order_id":1443875778322433},"channel":"live_trades_ethusd","event":"trade"})";
};

TEST_F(BitstampTest, TradeFrameGivesTheTradeExactly) {
  ASSERT_EQ(decode(kTrade).kind, FrameKind::trades);
  ASSERT_EQ(out_.trades.size(), 1U);
  const Trade& trade = out_.trades[0];
  EXPECT_EQ(trade.instrument, 1U);
  EXPECT_EQ(trade.id.view(), "216000484");
  EXPECT_EQ(trade.aggressor, Aggressor::sell);
  EXPECT_TRUE(trade.price == parse_decimal("3802.93").unscaled);
  EXPECT_TRUE(trade.size == parse_decimal("0.931").unscaled);
  EXPECT_EQ(trade.event_time_ns, 1'641'343'709'599'000'000);
}

TEST_F(BitstampTest, OtherFramesHoldNoTrade) {
  EXPECT_EQ(decode(R"({"event":"bts:subscription_succeeded","channel":"live_trades_ethusd","data":{}})").kind,
            FrameKind::subscribed);
  EXPECT_EQ(decode(R"({"event":"bts:heartbeat","channel":"","data":{"status":"success"}})").kind, FrameKind::ignored);
  EXPECT_EQ(decode(R"({"event":"bts:request_reconnect","channel":"","data":""})").kind, FrameKind::reconnect);
  EXPECT_EQ(decode(R"({"data":{"timestamp":"1","microtimestamp":"1","bids":[],"asks":[]},)"
                   R"("channel":"diff_order_book_ethusd","event":"data"})")
                .kind,
            FrameKind::ignored);
  const FrameResult refused =
      decode(R"({"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}})");
  EXPECT_EQ(refused.kind, FrameKind::refused);
  EXPECT_EQ(refused.reason, "Bad subscription string.");
}

TEST_F(BitstampTest, EachFlawHasItsName) {
  EXPECT_EQ(decode("[]").error, DecodeError::malformed_json);
  EXPECT_EQ(decode("{}").error, DecodeError::unknown_frame);
  std::string late = kTrade;
  late.replace(late.find("1641343709599000"), 16, "9223372036854775807");
  EXPECT_EQ(decode(late).error, DecodeError::time_out_of_range);
}

TEST_F(BitstampTest, SubscribesToOneChannelAMessage) {
  const std::uint32_t instrument = 1;
  EXPECT_EQ(venue_.subscribe_message(Channel::trades, {&instrument, 1}, true),
            R"({"event":"bts:subscribe","data":{"channel":"live_trades_ethusd"}})");
  EXPECT_EQ(venue_.limits().symbols_per_message, 1U);
}

TEST_F(BitstampTest, HistoryIsAskedForAsLongAStretchAsIsNeeded) {
  const auto target = [&](std::int64_t age_s) {
    const std::int64_t now_ns = 1'641'343'709 * kSecondNs;
    const HistoryQuery query{1, 0, std::nullopt, now_ns - age_s * kSecondNs, now_ns};
    return std::pair(venue_.history_target(query), venue_.complete_since_ns(query, {}) <= query.from_time_ns);
  };
  EXPECT_EQ(target(50), std::pair(std::string("/api/v2/transactions/ethusd/?time=minute"), true));
  EXPECT_EQ(target(60), std::pair(std::string("/api/v2/transactions/ethusd/?time=hour"), true));
  EXPECT_EQ(target(3'600), std::pair(std::string("/api/v2/transactions/ethusd/?time=day"), true));
  EXPECT_EQ(target(86'400), std::pair(std::string("/api/v2/transactions/ethusd/?time=day"), false));
}

TEST_F(BitstampTest, HistoryGivesTheSameTradeButForTheTimeWithinItsSecond) {
  decode(kTrade);
  std::vector<Trade> page;
  const HistoryQuery query{1, 0, std::nullopt, 0, 0};
  ASSERT_EQ(venue_.read_history(frame(R"([{"amount":"0.93100000","date":"1641343709","price":"3802.93",)"
                                      R"("tid":"216000484","type":"1"}])"),
                                query, 7, page),
            DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page[0].event_time_ns, 1'641'343'709'000'000'000);
  page[0].event_time_ns = out_.trades[0].event_time_ns;
  expect_same(page[0], out_.trades[0]);
}

TEST_F(BitstampTest, BookGivesTheBestBidAndAsk) {
  ASSERT_EQ(decode(R"({"data":{"timestamp":"1643643584","microtimestamp":"1643643584684047","bids":[["3802.92","0.5"],)"
                   R"(["3802.91","9"]],"asks":[["3802.93","0.25"],["3803","1"]]},"channel":"order_book_ethusd",)"
                   R"("event":"data"})")
                .kind,
            FrameKind::quotes);
  ASSERT_EQ(out_.quotes.size(), 1U);
  EXPECT_EQ(out_.quotes[0].instrument, 1U);
  expect_level(out_.quotes[0].bid, "3802.92", "0.5");
  expect_level(out_.quotes[0].ask, "3802.93", "0.25");
  EXPECT_EQ(out_.quotes[0].event_time_ns, 1'643'643'584'684'047'001) << "behind a trade of its time";
}

TEST_F(BitstampTest, ABookThatIsEmptyOnBothSidesIsAQuote) {
  ASSERT_EQ(decode(R"({"data":{"timestamp":"1643643584","microtimestamp":"1643643584684047","bids":[],"asks":[]},)"
                   R"("channel":"order_book_ethusd","event":"data"})")
                .kind,
            FrameKind::quotes);
  expect_empty_book(out_.quotes);
  EXPECT_EQ(
      decode(R"({"data":{"microtimestamp":"1643643584684047"},"channel":"order_book_ethusd","event":"data"})").error,
      DecodeError::missing_field);
}

TEST_F(BitstampTest, CandlesAreReadByName) {
  const CandleQuery query{1, kMinute, kNextMinute};
  EXPECT_EQ(venue_.candles_target(query), "/api/v2/ohlc/ethusd/?step=60&limit=100&start=1700000040");
  std::vector<Candle> page;
  const std::string answer =
      R"({"data":{"pair":"ETH/USD","ohlc":[{"high":"3803.10","timestamp":"1700000040","volume":"0.99810000",)"
      R"("low":"3802.90","close":"3802.93","open":"3803.00"},{"high":"1","timestamp":"1700000160","volume":"1",)"
      R"("low":"1","close":"1","open":"1"}]}})";
  ASSERT_EQ(venue_.read_candles(frame(answer), query, 7, page), DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  expect_candle(page[0], kMinute, {"3803", "3803.1", "3802.9", "3802.93", "0.9981"}, std::nullopt);
  EXPECT_EQ(venue_.read_candles(frame(R"({"code":"400.002","errors":[]})"), query, 7, page),
            DecodeError::missing_field);
}

}  // namespace
}  // namespace livetape::bridge
