#include "publish/record.hpp"

#include <gtest/gtest.h>

#include "livetape/decimal.hpp"

namespace livetape::bridge {
namespace {

RecordEncoder encoder() {
  return {std::make_shared<Instruments>("kraken", std::vector<std::string>{"BTC-USDT"}), "00ff",
          SchemaIds{1, 258, 3, 4, 5}};
}

TEST(Record, OfATradeIsAvroBehindTheWireHeader) {
  Message message;
  message.sequence = 3;
  ASSERT_TRUE(message.trade.id.assign("42"));
  message.trade.seq = 42;
  message.trade.has_seq = true;
  message.trade.aggressor = Aggressor::sell;
  message.trade.price = parse_decimal("0.000000000000000002").unscaled;
  message.trade.size = parse_decimal("0.000000000000000128").unscaled;
  message.trade.event_time_ns = 1;
  message.trade.receive_time_ns = -1;
  RecordEncoder out = encoder();
  EXPECT_EQ(out.key(message), "kraken:BTC-USDT");
  EXPECT_EQ(as_hex(out.encode(message)),
            "0000000001"          // wire header, schema 1
            "0c6b72616b656e"      // venue
            "104254432d55534454"  // instrument
            "043432"              // trade_id
            "0254"                // trade_seq: branch 1, 42
            "0202"                // price, one byte
            "040080"              // size 128 needs a sign byte
            "04"                  // aggressor sell
            "0201"                // event and receive time
            "00"                  // action trade
            "00"                  // refers_to null
            "00"                  // no conditions
            "00"                  // source live
            "0830306666"          // bridge_session
            "06"                  // bridge_sequence
            "00"                  // publish time not known
            "00");                // nor the card's
}

TEST(Record, OfATradeHasItsTimeWhereverItIsCutBehindIt) {
  Message message;
  ASSERT_TRUE(message.trade.id.assign("42"));
  message.trade.event_time_ns = 1'700'000'000'123'456'789;
  for (const bool has_seq : {false, true}) {
    message.trade.has_seq = has_seq;
    RecordEncoder out = encoder();
    const auto value = out.encode(message);
    EXPECT_EQ(trade_time_ns_in(value), message.trade.event_time_ns);
    const std::size_t behind = has_seq ? 40 : 39;
    for (std::size_t size = 0; size <= value.size(); ++size) {
      EXPECT_EQ(trade_time_ns_in(value.first(size)).has_value(), size >= behind) << size;
    }
  }
}

TEST(Record, OfAClockHasTheVenueAsKey) {
  Message message;
  message.kind = Message::Kind::clock;
  message.sequence = 4;
  message.clock_time_ns = 64;
  RecordEncoder out = encoder();
  EXPECT_EQ(out.key(message), "kraken");
  EXPECT_EQ(as_hex(out.encode(message)),
            "0000000102"
            "0c6b72616b656e"
            "8001"
            "0830306666"
            "08");
}

TEST(Record, OfABackfilledTradeSaysSo) {
  Message message;
  message.trade.source = Source::backfill;
  const auto bytes = as_hex(encoder().encode(message));
  EXPECT_EQ(bytes.substr(bytes.size() - 18),
            "020830306666"
            "00"
            "0000");
}

TEST(Record, OfAGapTellsItsIdsOnlyWhereThereAreAny) {
  Message message;
  message.kind = Message::Kind::gap;
  message.sequence = 4;
  message.gap = {0, true, 1, 2, 3, 4, "why"};
  RecordEncoder out = encoder();
  EXPECT_EQ(out.key(message), "kraken:BTC-USDT");
  EXPECT_EQ(as_hex(out.encode(message)),
            "0000000003"
            "0c6b72616b656e"
            "104254432d55534454"
            "0202"  // first_missing_id: branch 1
            "0204"  // last_missing_id
            "06"    // from_time
            "08"    // to_time
            "06776879"
            "0830306666"
            "08");
  message.gap.has_ids = false;
  EXPECT_EQ(as_hex(out.encode(message)).substr(42, 8), "00000608");
}

TEST(Record, OfAGapOfAnyInstrumentHasAStarAndTheNumbersOfItsMessages) {
  Message message;
  message.kind = Message::Kind::gap;
  message.sequence = 4;
  message.gap = {0, false, 0, 0, 3, 4, "why", true, 5, 9};
  RecordEncoder out = encoder();
  EXPECT_EQ(out.key(message), "kraken:*");
  const auto value = out.encode(message);
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  EXPECT_EQ(as_hex(value).substr(0, 38),
            "0000000003"
            "0c6b72616b656e"
            "022a"  // *
            "0000"  // no ids
            "0608"  // times
            "58");  // 44 characters
  EXPECT_EQ(text.substr(19, 44), "messages 5 to 9 of the session are lost: why");
}

TEST(Record, OfAQuoteLeavesOutASideThatHasNothing) {
  Message message;
  message.kind = Message::Kind::quote;
  message.sequence = 4;
  message.quote = Quote();
  message.quote.has_seq = true;
  message.quote.seq = 42;
  message.quote.bid = {2, 128};
  message.quote.event_time_ns = 1;
  message.quote.receive_time_ns = -1;
  RecordEncoder out = encoder();
  EXPECT_EQ(out.key(message), "kraken:BTC-USDT");
  EXPECT_EQ(as_hex(out.encode(message)),
            "0000000004"
            "0c6b72616b656e"
            "104254432d55534454"
            "0254"      // quote_seq
            "020202"    // bid_price
            "02040080"  // bid_size
            "0000"      // no ask
            "0201"
            "0830306666"
            "08");
}

TEST(Record, OfACandleTellsItsTradesOnlyWhereTheVenueDoes) {
  Message message;
  message.kind = Message::Kind::candle;
  message.sequence = 4;
  message.candle = Candle();
  message.candle.has_trades = true;
  message.candle.start_ns = 64;
  message.candle.open = 1;
  message.candle.high = 3;
  message.candle.low = -1;
  message.candle.close = 2;
  message.candle.volume = 128;
  message.candle.trades = 42;
  message.candle.receive_time_ns = -1;
  RecordEncoder out = encoder();
  EXPECT_EQ(out.key(message), "kraken:BTC-USDT");
  EXPECT_EQ(as_hex(out.encode(message)),
            "0000000005"
            "0c6b72616b656e"
            "104254432d55534454"
            "04316d"  // interval
            "8001"    // start
            "0201"    // open
            "0203"    // high
            "02ff"    // low
            "0202"    // close
            "040080"  // volume
            "0254"    // trades: branch 1, 42
            "01"      // receive time
            "0830306666"
            "08");
  message.candle.has_trades = false;
  EXPECT_EQ(as_hex(out.encode(message)).substr(74, 4), "0001");
}

}  // namespace
}  // namespace livetape::bridge
