#include "exchange/venues/coinbase.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"
#include "livetape/decimal.hpp"
#include "venue_test.hpp"

namespace livetape::bridge {
namespace {

class CoinbaseTest : public VenueTest<Coinbase> {
 protected:
  CoinbaseTest() : VenueTest({"SKL-USD", "SKL-BTC"}, kList) {}

  static constexpr const char* kList =
      R"([{"id":"SKL-BTC","base_currency":"SKL","quote_currency":"BTC","status":"online"},)"
      R"({"id":"SKL-USD","base_currency":"SKL","quote_currency":"USD","status":"online"}])";
  static constexpr const char* kMatch =
      R"({"type":"match","trade_id":1568268,"maker_order_id":"cac01d6d-8009-4c33-8e0d-f7f853d7c1bc",)"
      R"("taker_order_id":"3dec64e4-f6ad-4ca8-ad3f-e5b1a0eb0d06","side":"sell","size":"450","price":"0.791",)"
      R"("product_id":"SKL-USD","sequence":201390075,"time":"2021-04-17T16:43:37.121358Z"})";
};

TEST_F(CoinbaseTest, MatchGivesTheTradeAndTheMakersSideTurnedRound) {
  ASSERT_EQ(decode(kMatch).kind, FrameKind::trades);
  ASSERT_EQ(out_.trades.size(), 1U);
  const Trade& trade = out_.trades[0];
  EXPECT_EQ(trade.instrument, 0U);
  EXPECT_EQ(trade.id.view(), "1568268");
  EXPECT_EQ(trade.seq, 1'568'268);
  EXPECT_EQ(trade.aggressor, Aggressor::buy);
  EXPECT_TRUE(trade.price == parse_decimal("0.791").unscaled);
  EXPECT_TRUE(trade.size == parse_decimal("450").unscaled);
  EXPECT_EQ(trade.event_time_ns, 1'618'677'817'121'358'000);
}

TEST_F(CoinbaseTest, OtherFramesHoldNoTrade) {
  std::string last = kMatch;
  last.replace(last.find("match"), 5, "last_match");
  EXPECT_EQ(decode(last).kind, FrameKind::ignored);
  EXPECT_EQ(decode(R"({"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"SKL-USD"})").kind,
            FrameKind::ignored);
  EXPECT_EQ(decode(R"({"type":"subscriptions","channels":[{"name":"matches","product_ids":["SKL-USD"]}]})").kind,
            FrameKind::subscribed);
  const FrameResult refused = decode(R"({"type":"error","message":"Failed to subscribe","reason":"X is no product"})");
  EXPECT_EQ(refused.kind, FrameKind::refused);
  EXPECT_EQ(refused.reason, "Failed to subscribe: X is no product");
  EXPECT_TRUE(out_.trades.empty());
}

TEST_F(CoinbaseTest, AProductThatIsDelistedCannotBeSubscribedTo) {
  Coinbase venue({"SKL-USD", "OLD-USD"});
  const std::string list =
      frame(R"([{"id":"OLD-USD","base_currency":"OLD","quote_currency":"USD","status":"delisted"},)"
            R"({"id":"SKL-USD","base_currency":"SKL","quote_currency":"USD","status":"online"}])");
  EXPECT_EQ(venue.read_instruments(list), DecodeError::none);
  EXPECT_TRUE(venue.is_listed(0));
  EXPECT_FALSE(venue.is_listed(1));
}

TEST_F(CoinbaseTest, EachFlawHasItsName) {
  EXPECT_EQ(decode("{").error, DecodeError::malformed_json);
  EXPECT_EQ(decode(R"({"type":"news"})").error, DecodeError::unknown_frame);
  EXPECT_EQ(decode(R"({"type":"match"})").error, DecodeError::missing_field);
  std::string other = kMatch;
  other.replace(other.find("SKL-USD"), 7, "BTC-USD");
  EXPECT_EQ(decode(other).error, DecodeError::unknown_instrument);
}

TEST_F(CoinbaseTest, SubscribesWithHeartbeats) {
  const std::vector<std::uint32_t> both{0, 1};
  EXPECT_EQ(venue_.subscribe_message(Channel::trades, both, true),
            R"({"type":"subscribe","product_ids":["SKL-USD","SKL-BTC"],"channels":["matches","heartbeat"]})");
}

TEST_F(CoinbaseTest, HistoryGivesTheSameTradeAsTheStream) {
  decode(kMatch);
  const HistoryQuery query{0, 1'568'200, 1'568'268, 0, 0};
  EXPECT_EQ(venue_.history_target(query), "/products/SKL-USD/trades?limit=1000&after=1568269");
  EXPECT_EQ(venue_.history_target({1, 7, std::nullopt, 0, 0}), "/products/SKL-BTC/trades?limit=1000");
  std::vector<Trade> page;
  ASSERT_EQ(venue_.read_history(frame(R"([{"time":"2021-04-17T16:43:37.121358Z","trade_id":1568268,)"
                                      R"("price":"0.79100000","size":"450.00000000","side":"sell"}])"),
                                query, 7, page),
            DecodeError::none);
  ASSERT_EQ(page.size(), 1U);
  expect_same(page[0], out_.trades[0]);
  EXPECT_EQ(venue_.read_history(frame(R"({"message":"NotFound"})"), query, 7, page), DecodeError::malformed_json);
}

TEST_F(CoinbaseTest, TickerGivesTheBestBidAndAskBehindItsMatch) {
  ASSERT_EQ(decode(R"({"type":"ticker","sequence":37475248783,"product_id":"SKL-USD","price":"1285.22",)"
                   R"("best_bid":"1285.04","best_bid_size":"0.46688654","best_ask":"1285.27",)"
                   R"("best_ask_size":"1.56637040","side":"buy","time":"2022-10-19T23:28:22.061769Z",)"
                   R"("trade_id":370843401,"last_size":"11.4396987"})")
                .kind,
            FrameKind::quotes);
  ASSERT_EQ(out_.quotes.size(), 1U);
  EXPECT_TRUE(out_.trades.empty());
  EXPECT_EQ(out_.quotes[0].seq, 37'475'248'783);
  expect_level(out_.quotes[0].bid, "1285.04", "0.46688654");
  expect_level(out_.quotes[0].ask, "1285.27", "1.5663704");
  EXPECT_EQ(out_.quotes[0].event_time_ns, 1'666'222'102'061'769'001);
  const std::uint32_t instrument = 0;
  EXPECT_EQ(venue_.subscribe_message(Channel::quotes, {&instrument, 1}, true),
            R"({"type":"subscribe","product_ids":["SKL-USD"],"channels":["ticker"]})");
}

TEST_F(CoinbaseTest, CandlesAreReadByTheirDigitsTheLowFirst) {
  const CandleQuery query{0, kMinute, kNextMinute};
  EXPECT_EQ(venue_.candles_target(query),
            "/products/SKL-USD/candles?granularity=60&start=2023-11-14T22:14:00Z&end=2023-11-14T22:15:00Z");
  std::vector<Candle> page;
  const std::string answer =
      "[[1700000100,0.0322,0.0324,0.0322,0.0324,1.2e3],[1700000040,0.03200000000000001,0.04,0.035,0.036,12.3],"
      "[1699999980,1,1,1,1,1]]";
  ASSERT_EQ(venue_.read_candles(frame(answer), query, 7, page), DecodeError::none);
  ASSERT_EQ(page.size(), 2U);
  expect_candle(page[0], kNextMinute, {"0.0322", "0.0324", "0.0322", "0.0324", "1200"}, std::nullopt);
  expect_candle(page[1], kMinute, {"0.035", "0.04", "0.03200000000000001", "0.036", "12.3"}, std::nullopt);
  EXPECT_EQ(venue_.read_candles(frame(R"({"message":"NotFound"})"), query, 7, page), DecodeError::malformed_json);
}

TEST_F(CoinbaseTest, AnInstrumentThatIsNotListedIsTold) {
  EXPECT_TRUE(venue_.says_unlisted(frame(R"({"message":"NotFound"})")));
  EXPECT_TRUE(venue_.says_unlisted(frame(R"({"message":"Not allowed for delisted products"})")));
  EXPECT_FALSE(venue_.says_unlisted(frame(R"({"message":"Route not found"})")));
  EXPECT_FALSE(venue_.says_unlisted(frame(R"([])")));
}

}  // namespace
}  // namespace livetape::bridge
