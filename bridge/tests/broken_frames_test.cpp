#include <gtest/gtest.h>

#include <random>

#include "exchange/venues/binance.hpp"
#include "exchange/venues/kraken.hpp"
#include "frames.hpp"

namespace livetape::bridge {
namespace {

/// A frame with some bytes replaced, doubled or left out, mostly by what means something in JSON.
std::string broken(std::string text, std::mt19937_64& random) {
  constexpr std::string_view kBytes = "{}[]\",:.-+0123456789eEtrufalsn\\ \n\xff";
  const auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  for (std::size_t times = below(4) + 1; times > 0 && !text.empty(); --times) {
    const std::size_t at = below(text.size());
    switch (below(4)) {
      case 0:
        text[at] = kBytes[below(kBytes.size())];
        break;
      case 1:
        text.erase(at, below(8));
        break;
      case 2:
        text.insert(at, text.substr(at, below(8)));
        break;
      default:
        text.insert(at, 1, kBytes[below(kBytes.size())]);
    }
  }
  return text;
}

void expect_sane(Venue& venue, const std::string& whole) {
  std::mt19937_64 random(1);
  Decoded out;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = broken(whole, random);
    const FrameResult result = venue.decode(frame(text), 7, out);
    ASSERT_EQ(result.kind == FrameKind::error, result.error != DecodeError::none) << text;
    for (const Trade& trade : out.trades) {
      ASSERT_EQ(trade.instrument, 0U) << text;
      ASSERT_TRUE(trade.price > 0) << text;
      ASSERT_TRUE(trade.size > 0) << text;
      ASSERT_FALSE(trade.id.view().empty()) << text;
    }
    ASSERT_EQ(venue.decode(frame(whole), 7, out).kind, FrameKind::trades) << "after " << text;
  }
}

TEST(BrokenFrames, OfBinanceNeverCrashNorMakeWrongTrades) {
  Binance venue({"BTC-USDT"});
  venue.name(0, {"BTCUSDT", "BTCUSDT"});
  expect_sane(venue, R"({"stream":"btcusdt@trade","data":{"e":"trade","E":1723161240123,"s":"BTCUSDT","t":1557,)"
                     R"("p":"61837.63","q":"0.0044","T":1723161240122,"m":true,"M":true}})");
}

TEST(BrokenFrames, OfKrakenNeverCrashNorMakeWrongTrades) {
  Kraken venue({"BTC-USDT"});
  venue.name(0, {"BTC/USDT", "XBTUSDT"});
  expect_sane(venue,
              R"({"channel":"trade","type":"update","data":[{"symbol":"BTC/USDT","side":"sell","price":105123.4,)"
              R"("qty":0.00012345,"ord_type":"limit","trade_id":42,"timestamp":"2025-11-10T10:00:00.123456Z"},)"
              R"({"symbol":"BTC/USDT","side":"buy","price":1e3,"qty":2,"trade_id":43,)"
              R"("timestamp":"2025-11-10T10:00:01Z"}]})");
}

}  // namespace
}  // namespace livetape::bridge
