#include "core/refused_trades.hpp"

#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "core/ring_writer.hpp"

namespace livetape::bridge {
namespace {

Message trade(std::uint64_t sequence, std::uint32_t instrument, std::int64_t id = 0) {
  Message message;
  message.sequence = sequence;
  message.trade.instrument = instrument;
  message.trade.seq = id;
  message.trade.has_seq = id > 0;
  message.trade.event_time_ns = 1'000 + static_cast<std::int64_t>(sequence);
  return message;
}

Message clock_of(std::uint64_t sequence) {
  Message message;
  message.kind = Message::Kind::clock;
  message.sequence = sequence;
  return message;
}

/// Number, instrument, ids and times of gaps.
using Told =
    std::vector<std::tuple<std::uint64_t, std::uint32_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>>;

void note(Told& told, const Message& message) {
  ASSERT_EQ(message.kind, Message::Kind::gap);
  const Gap& gap = message.gap;
  told.emplace_back(message.sequence, gap.instrument, gap.has_ids ? gap.first_id : 0, gap.has_ids ? gap.last_id : 0,
                    gap.from_time_ns, gap.to_time_ns);
}

Told told_of(RefusedTrades& refused) {
  Told told;
  for (const Message* gap = refused.front(); gap != nullptr; gap = refused.front()) {
    note(told, *gap);
    refused.pop();
  }
  return told;
}

TEST(RefusedTrades, AreAGapOfEachInstrumentFromTheFirstToTheLast) {
  RefusedTrades refused;
  refused.add(trade(7, 2));
  refused.add(clock_of(8));
  refused.add(trade(9, 1, 41));
  refused.add(trade(10, 2));
  refused.add(trade(11, 1, 40));
  EXPECT_EQ(told_of(refused), (Told{{7, 2, 0, 0, 1'007, 1'010}, {9, 1, 40, 41, 1'009, 1'011}}));
  EXPECT_TRUE(refused.is_empty());
}

TEST(RefusedTrades, KeepAGapThatWasRefusedItself) {
  RefusedTrades refused;
  Message lost;
  lost.kind = Message::Kind::gap;
  lost.sequence = 3;
  lost.gap = {.reason = "no line brought them", .is_of_any = true, .first_message = 5, .last_message = 6};
  refused.add(lost);
  refused.add(trade(4, 0));
  ASSERT_NE(refused.front(), nullptr);
  EXPECT_EQ(refused.front()->gap.reason, "no line brought them");
  EXPECT_EQ(refused.front()->gap.last_message, 6U);
  refused.pop();
  EXPECT_EQ(told_of(refused), (Told{{4, 0, 0, 0, 1'004, 1'004}}));
}

TEST(RingWriter, TellsOfTradesThatFoundNoRoomBeforeTheNextThatDoes) {
  MessageRing ring(2);
  Counter dropped{0};
  RingWriter writer(ring, dropped, "toy");
  for (std::uint64_t number = 1; number <= 5; ++number) writer.put(trade(number, 0, static_cast<std::int64_t>(number)));
  EXPECT_EQ(dropped, 3U);
  for (; !ring.is_empty(); ring.pop()) EXPECT_EQ(ring.front()->kind, Message::Kind::trade);
  writer.put(trade(6, 0, 6));
  Told told;
  note(told, *ring.front());
  EXPECT_EQ(told, (Told{{3, 0, 3, 5, 1'003, 1'005}}));
  ring.pop();
  ASSERT_NE(ring.front(), nullptr);
  EXPECT_EQ(ring.front()->sequence, 6U);
}

}  // namespace
}  // namespace livetape::bridge
