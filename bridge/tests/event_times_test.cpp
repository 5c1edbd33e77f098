#include <gtest/gtest.h>

#include <string>

#include "exchange/venue.hpp"
#include "frames.hpp"

namespace livetape::bridge {
namespace {

/// A good trade of a venue up to its event time, and behind it.
struct Frame {
  const char* venue;
  const char* symbol;
  const char* before;
  const char* behind;
  const char* good;
  const char* latest;  // that nanoseconds of int64 can hold
  const char* later;
};

constexpr Frame kFrames[] = {
    {"binance", "BTCUSDT", R"({"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":1,"p":"1","q":"1","T":)",
     R"(,"m":true}})", "1700000000000", "9223372036854", "9223372036855"},
    {"binance-usdm", "BTCUSDT",
     R"({"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","s":"BTCUSDT","a":1,"p":"1","q":"1","f":1,"l":1,"T":)",
     R"(,"m":true}})", "1700000000000", "9223372036854", "9223372036855"},
    {"bitstamp", "btcusdt", R"({"data":{"id":1,"amount_str":"1","price_str":"1","type":0,"microtimestamp":")",
     R"("},"channel":"live_trades_btcusdt","event":"trade"})", "1700000000000000", "9223372036854775",
     "9223372036854776"},
    {"bybit", "BTCUSDT",
     R"({"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[{"i":"a","p":"1","v":"1","S":"Buy",)"
     R"("s":"BTCUSDT","BT":false,"T":)",
     "}]}", "1700000000000", "9223372036854", "9223372036855"},
    {"coinbase", "BTC-USDT",
     R"({"type":"match","sequence":1,"product_id":"BTC-USDT","trade_id":1,"side":"buy","size":"1","price":"1","time":")",
     R"("})", "2023-11-14T22:13:20.000001Z", "2262-04-11T23:47:16Z", "2262-04-11T23:47:17Z"},
    {"kraken", "BTC/USDT",
     R"({"channel":"trade","type":"update","data":[{"symbol":"BTC/USDT","side":"buy","price":1,"qty":1,)"
     R"("ord_type":"limit","trade_id":1,"timestamp":")",
     R"("}]})", "2023-11-14T22:13:20.000001Z", "2262-04-11T23:47:16Z", "2262-04-11T23:47:17Z"},
    {"okx", "BTC-USDT",
     R"({"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"1","px":"1",)"
     R"("sz":"1","side":"buy","ts":")",
     R"("}]})", "1700000000000", "9223372036854", "9223372036855"},
};

DecodeError error_of(const Frame& of, const char* time) {
  const auto venue = make_venue(of.venue, {"BTC-USDT"});
  venue->name(0, {of.symbol, of.symbol});
  Decoded out;
  const FrameResult result = venue->decode(frame(std::string(of.before) + time + of.behind), 7, out);
  EXPECT_EQ(out.trades.size(), result.error == DecodeError::none ? 1U : 0U) << of.venue << " " << time;
  return result.error;
}

TEST(EventTimes, ThatNanosecondsCannotHoldAreRefusedByEveryVenue) {
  for (const Frame& each : kFrames) {
    EXPECT_EQ(error_of(each, each.good), DecodeError::none) << each.venue;
    EXPECT_EQ(error_of(each, each.latest), DecodeError::none) << each.venue;
    EXPECT_EQ(error_of(each, each.later), DecodeError::time_out_of_range) << each.venue;
  }
}

TEST(EventTimes, ThatAreNoneAreRefusedAsSuchByEveryVenue) {
  for (const Frame& each : kFrames) EXPECT_EQ(error_of(each, "1.5"), DecodeError::malformed_time) << each.venue;
}

}  // namespace
}  // namespace livetape::bridge
