#include "nic/itch_trades.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "livetape/decimal.hpp"

namespace livetape::bridge::itch {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kHour = 3'600 * kSecond;
constexpr std::int64_t kMidnight = 1'700'000'000 / 86'400 * 86'400 * kSecond;

constexpr std::int64_t kTime = 34'200'000'000'123;  // of a message, since midnight

/// Writes a message field by field.
class Writer {
 public:
  explicit Writer(char type, std::uint64_t time_ns = std::uint64_t{kTime}, std::uint16_t locate = 5) {
    bytes_.push_back(static_cast<std::uint8_t>(type));
    number<2>(locate).number<2>(0).number<6>(time_ns);
  }
  template <std::size_t kWidth>
  Writer& number(std::uint64_t value) {
    bytes_.resize(bytes_.size() + kWidth);
    write_big_endian<kWidth>(bytes_.data() + bytes_.size() - kWidth, value);
    return *this;
  }
  Writer& text(std::string value, std::size_t width) {
    value.resize(width, ' ');
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

Bytes stock(const std::string& symbol, std::uint16_t locate = 5) {
  return Writer('R', 1, locate)
      .text(symbol, 8)
      .text("QN", 2)
      .number<4>(100)
      .text("NCZ PNN1N", 9)
      .number<4>(0)
      .text("N", 1)
      .bytes();
}
Bytes add(std::uint64_t order, char side, std::uint32_t shares, std::uint32_t price) {
  return Writer('A').number<8>(order).text({side}, 1).number<4>(shares).text("AAPL", 8).number<4>(price).bytes();
}
Bytes execute(std::uint64_t order, std::uint32_t shares, std::uint64_t match) {
  return Writer('E').number<8>(order).number<4>(shares).number<8>(match).bytes();
}
Bytes execute_at(std::uint64_t order, std::uint32_t shares, std::uint64_t match, char printable, std::uint32_t price) {
  return Writer('C').number<8>(order).number<4>(shares).number<8>(match).text({printable}, 1).number<4>(price).bytes();
}
Bytes hidden(std::uint32_t shares, std::uint32_t price, std::uint64_t match, std::int64_t time_ns = kTime) {
  return Writer('P', static_cast<std::uint64_t>(time_ns))
      .number<8>(0)
      .text("B", 1)
      .number<4>(shares)
      .text("AAPL", 8)
      .number<4>(price)
      .number<8>(match)
      .bytes();
}
Bytes cross(std::uint64_t shares, std::uint64_t match, char kind) {
  return Writer('Q').number<8>(shares).text("AAPL", 8).number<4>(1'000'000).number<8>(match).text({kind}, 1).bytes();
}

class ItchTrades : public testing::Test, public Trades::Listener {
 protected:
  void on_trade(const Trade& trade) override { trades.push_back(trade); }
  Error take(const Bytes& message) { return all.take(message, kMidnight + 10 * kHour); }
  /// The only trade since the last call.
  Trade only() {
    EXPECT_EQ(trades.size(), 1U);
    const Trade trade = trades.empty() ? Trade{} : trades.back();
    trades.clear();
    return trade;
  }
  static std::vector<std::string_view> conditions(const Trade& trade) {
    return {trade.conditions.begin(), trade.conditions.end()};
  }
  using Codes = std::vector<std::string_view>;

  std::vector<Trade> trades;
  Instruments instruments{"nasdaq", Trades::kStocks};
  Trades all{instruments, {}, "USD", ExchangeDay({{0, 0}}), 100, *this};
};

TEST_F(ItchTrades, TakeTheirPriceFromTheOrder) {
  EXPECT_EQ(take(stock("AAPL")), Error::none);
  EXPECT_EQ(take(add(1, 'B', 500, 1'895'500)), Error::none);
  EXPECT_EQ(take(execute(1, 100, 77)), Error::none);
  const Trade trade = only();
  EXPECT_EQ(instruments.key(trade.instrument), "nasdaq:AAPL-USD");
  EXPECT_EQ(trade.id.view(), "77");
  EXPECT_FALSE(trade.has_seq);
  EXPECT_EQ(trade.price, parse_decimal("189.55").unscaled);
  EXPECT_EQ(trade.size, parse_decimal("100").unscaled);
  EXPECT_EQ(trade.aggressor, Aggressor::sell) << "who met an order to buy sold";
  EXPECT_EQ(trade.event_time_ns, kMidnight + kTime);
  EXPECT_EQ(trade.receive_time_ns, kMidnight + 10 * kHour);
  EXPECT_EQ(trade.action, Action::trade);
  EXPECT_EQ(conditions(trade), Codes{});
}

TEST_F(ItchTrades, FollowAnOrderThroughPartsCancellationsAndReplacements) {
  (void)take(stock("AAPL"));
  (void)take(add(1, 'S', 500, 100));
  EXPECT_EQ(take(Writer('X').number<8>(1).number<4>(300).bytes()), Error::none);
  EXPECT_EQ(take(Writer('U').number<8>(1).number<8>(2).number<4>(50).number<4>(300).bytes()), Error::none);
  EXPECT_EQ(take(execute(1, 1, 1)), Error::unknown_order);
  EXPECT_EQ(take(execute(2, 50, 2)), Error::none);
  const Trade trade = only();
  EXPECT_EQ(trade.price, parse_decimal("0.03").unscaled);
  EXPECT_EQ(trade.aggressor, Aggressor::buy) << "the side is the first order's";
  EXPECT_EQ(conditions(trade), Codes{"odd-lot"});
  EXPECT_EQ(take(execute(2, 1, 3)), Error::unknown_order) << "nothing is left of it";
  (void)take(add(3, 'B', 5, 100));
  EXPECT_EQ(take(Writer('D').number<8>(3).bytes()), Error::none);
  EXPECT_EQ(take(Writer('D').number<8>(3).bytes()), Error::unknown_order);
}

TEST_F(ItchTrades, SayWhatIsParticularAboutThem) {
  (void)take(stock("AAPL"));
  (void)take(add(1, 'S', 500, 100));
  EXPECT_EQ(take(execute_at(1, 100, 1, 'Y', 200)), Error::none);
  Trade trade = only();
  EXPECT_EQ(trade.price, parse_decimal("0.02").unscaled) << "its own price, and not the order's";
  EXPECT_EQ(conditions(trade), Codes{});
  EXPECT_EQ(take(execute_at(1, 10, 2, 'N', 200)), Error::none);
  EXPECT_EQ(conditions(only()), (Codes{"non-printable", "odd-lot"}));
  EXPECT_EQ(take(hidden(100, 5, 3)), Error::none);
  trade = only();
  EXPECT_EQ(conditions(trade), Codes{"hidden"});
  EXPECT_EQ(trade.aggressor, Aggressor::unknown);
  for (const auto& [kind, code] :
       {std::pair{'O', "opening-cross"}, {'C', "closing-cross"}, {'H', "halt-cross"}, {'I', "intraday-cross"}}) {
    EXPECT_EQ(take(cross(~std::uint64_t{0}, 4, kind)), Error::none);
    trade = only();
    EXPECT_EQ(conditions(trade), Codes{code});
    EXPECT_EQ(trade.size, parse_decimal("18446744073709551615").unscaled);
  }
  EXPECT_EQ(take(cross(0, 5, 'O')), Error::none) << "a cross that found no match is no trade";
  EXPECT_TRUE(trades.empty());
}

TEST_F(ItchTrades, AreCancelledWhenTheyAreBroken) {
  (void)take(stock("AAPL"));
  EXPECT_EQ(take(Writer('B').number<8>(77).bytes()), Error::none);
  const Trade trade = only();
  EXPECT_EQ(trade.action, Action::cancel);
  EXPECT_EQ(trade.id.view(), "77");
}

TEST_F(ItchTrades, SayWhatTheyCannotBeMadeOf) {
  EXPECT_EQ(take(Writer('B').number<8>(77).bytes()), Error::unknown_stock);
  EXPECT_EQ(take(stock("")), Error::bad_name);
  EXPECT_EQ(take(stock("A\x01")), Error::bad_name);
  (void)take(stock("AAPL"));
  EXPECT_EQ(take(hidden(0, 1, 1)), Error::no_shares);
  EXPECT_EQ(take(hidden(1, 0, 1)), Error::no_price);
  EXPECT_EQ(take(Writer('B', 86'400'000'000'000).number<8>(1).bytes()), Error::time_out_of_range);
  EXPECT_EQ(take(add(1, 'B', 0, 1)), Error::no_shares);
  EXPECT_EQ(take(add(OrderTable::kReferenceLimit, 'B', 1, 1)), Error::order_out_of_range);
  EXPECT_EQ(take(add(1, 'B', 1, 1)), Error::none);
  EXPECT_EQ(take(add(1, 'B', 1, 1)), Error::known_order);
  EXPECT_TRUE(trades.empty());
  EXPECT_EQ(take(execute(1, 2, 1)), Error::too_many_shares);
  EXPECT_EQ(only().size, parse_decimal("2").unscaled) << "what the exchange says was traded, was";
  EXPECT_EQ(take(execute_at(1, 2, 1, 'Y', 7)), Error::unknown_order);
  EXPECT_EQ(only().aggressor, Aggressor::unknown);
}

TEST_F(ItchTrades, KnowTheOrderThatTookThePlaceOfOneNeverHeardOf) {
  (void)take(stock("AAPL"));
  EXPECT_EQ(take(Writer('U').number<8>(1).number<8>(2).number<4>(50).number<4>(300).bytes()), Error::unknown_order);
  EXPECT_EQ(take(execute(2, 50, 2)), Error::none);
  const Trade trade = only();
  EXPECT_EQ(trade.price, parse_decimal("0.03").unscaled);
  EXPECT_EQ(trade.aggressor, Aggressor::unknown);
}

TEST_F(ItchTrades, AreOfAStockThatOrdersAndTradesNameWhereTheDirectoryWasNotHeard) {
  EXPECT_EQ(take(add(1, 'B', 500, 1'895'500)), Error::none);
  EXPECT_EQ(take(execute(1, 99, 77)), Error::none);
  Trade trade = only();
  EXPECT_EQ(instruments.key(trade.instrument), "nasdaq:AAPL-USD");
  EXPECT_EQ(conditions(trade), Codes{"odd-lot"}) << "round lots are of 100 shares where nobody says otherwise";
  for (const Bytes& told : {hidden(100, 1, 1), cross(100, 2, 'O')}) {
    all.begin_session();
    EXPECT_EQ(take(told), Error::none);
    EXPECT_EQ(instruments.key(only().instrument), "nasdaq:AAPL-USD");
  }
  all.begin_session();
  EXPECT_EQ(take(Writer('Q').number<8>(1).text("A\x01", 8).number<4>(1).number<8>(3).text("O", 1).bytes()),
            Error::unknown_stock);
  EXPECT_TRUE(trades.empty());
}

TEST_F(ItchTrades, AreOfAStockThatOrdersNameOnceTheDirectoryTurnsOutToLackIt) {
  (void)take(stock("MSFT", 9));
  EXPECT_EQ(take(add(1, 'B', 500, 100)), Error::none);
  EXPECT_EQ(take(execute(1, 1, 1)), Error::unknown_stock);
  EXPECT_EQ(take(add(2, 'B', 500, 100)), Error::none);
  EXPECT_EQ(take(execute(1, 1, 2)), Error::none);
  EXPECT_EQ(instruments.key(only().instrument), "nasdaq:AAPL-USD");
}

TEST_F(ItchTrades, RefuseEveryMessageThatIsTooShortOrTooLong) {
  (void)take(stock("AAPL"));
  (void)take(add(1, 'B', 500, 1'000));
  for (const Bytes& whole : {stock("AAPL"), add(2, 'B', 1, 1), execute(1, 1, 1), execute_at(1, 1, 1, 'Y', 1),
                             hidden(1, 1, 1), cross(1, 1, 'O')}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(take({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}), Error::truncated);
    }
    Bytes longer = whole;
    longer.push_back(0);
    EXPECT_EQ(take(longer), Error::overlong);
  }
  EXPECT_EQ(take({'z', 0, 0}), Error::unknown_type);
  EXPECT_TRUE(trades.empty());
}

TEST_F(ItchTrades, AreOfTheInstrumentsThatAreWanted) {
  Instruments some("nasdaq", Trades::kStocks);
  Trades wanted(some, {"MSFT-USD", "BRK.B-USD"}, "USD", ExchangeDay({{0, 0}}), 100, *this);
  EXPECT_EQ(wanted.take(stock("AAPL", 5), 0), Error::none);
  EXPECT_EQ(wanted.take(hidden(1, 1, 1), kMidnight), Error::none);
  EXPECT_TRUE(trades.empty());
  EXPECT_EQ(wanted.take(stock("BRK.B", 5), 0), Error::none);
  EXPECT_EQ(wanted.take(hidden(1, 1, 1), kMidnight), Error::none);
  EXPECT_EQ(some.name(only().instrument), "BRK.B-USD");
  EXPECT_THROW(Trades(some, {"BTC-EUR"}, "USD", ExchangeDay({{0, 0}}), 100, *this), std::invalid_argument);
}

TEST_F(ItchTrades, ForgetTheDayBefore) {
  (void)take(stock("AAPL"));
  (void)take(add(1, 'B', 500, 1'000));
  all.begin_session();
  EXPECT_EQ(take(execute(1, 1, 1)), Error::unknown_order);
  EXPECT_EQ(take(Writer('B').number<8>(1).bytes()), Error::unknown_stock);
  (void)take(stock("MSFT", 9));
  (void)take(stock("AAPL", 5));
  (void)take(hidden(1, 1, 1));
  EXPECT_EQ(only().instrument, 0U) << "a stock keeps its number";
}

TEST_F(ItchTrades, TellTheTimeOfAMessageThatCanBeBelieved) {
  constexpr std::int64_t kNow = kMidnight + 10 * kHour;
  constexpr std::int64_t kMinute = 60 * kSecond;
  const auto event = [](std::int64_t since_ns) {
    return Writer('S', static_cast<std::uint64_t>(since_ns)).text("Q", 1).bytes();
  };
  EXPECT_EQ(all.event_time_ns(event(10 * kHour), kNow), kNow);
  EXPECT_EQ(all.event_time_ns(event(10 * kHour + kMinute), kNow), kNow + kMinute);
  EXPECT_EQ(all.event_time_ns(event(10 * kHour + kMinute + 1), kNow), std::nullopt);
  EXPECT_EQ(all.event_time_ns(event(24 * kHour), kNow), std::nullopt);
  Bytes wrong = event(10 * kHour);
  wrong.push_back(0);
  EXPECT_EQ(all.event_time_ns(wrong, kNow), std::nullopt) << "too long";
  wrong[0] = 'z';
  EXPECT_EQ(all.event_time_ns(wrong, kNow), std::nullopt) << "unknown";
  EXPECT_EQ(all.event_time_ns({}, kNow), std::nullopt);
  Trades old(instruments, {}, "USD", ExchangeDay({{0, 0}}, kMidnight - 1'000 * 24 * kHour), 100, *this);
  EXPECT_EQ(old.event_time_ns(event(23 * kHour), kNow), kMidnight - 1'000 * 24 * kHour + 23 * kHour);
}

TEST_F(ItchTrades, FindTheirDayThoughTheFirstMessageHasAWrongTime) {
  (void)take(stock("AAPL"));
  const Bytes ahead = Writer('S', 15 * kHour).text("O", 1).bytes();
  (void)all.event_time_ns(Bytes(12, 0xff), kMidnight + 10 * kHour);
  (void)all.event_time_ns(ahead, kMidnight + 10 * kHour);
  EXPECT_EQ(take(hidden(1, 1, 1)), Error::none);
  EXPECT_EQ(only().event_time_ns, kMidnight + kTime);
}

TEST_F(ItchTrades, KeepTheirDayBehindMidnight) {
  (void)take(stock("AAPL"));
  EXPECT_EQ(take(hidden(1, 1, 1)), Error::none);
  EXPECT_EQ(take(hidden(1, 1, 2, kTime + 1)), Error::none);
  EXPECT_EQ(all.take(hidden(1, 1, 3), kMidnight + 34 * kHour), Error::none);
  EXPECT_EQ(trades.back().event_time_ns, kMidnight + kTime);
}

TEST_F(ItchTrades, AreMovedToAnotherDayByNoSingleWrongTime) {
  constexpr std::int64_t kNow = kMidnight + 24 * kHour + 300 * kSecond;  // behind midnight
  constexpr std::int64_t kLate = 24 * kHour - kSecond;
  const auto time_of = [&](std::int64_t since_ns) {
    EXPECT_EQ(all.take(hidden(1, 1, 1, since_ns), kNow), Error::none);
    EXPECT_EQ(all.event_time_ns(hidden(1, 1, 1, since_ns), kNow), trades.back().event_time_ns) << "it is the same one";
    return only().event_time_ns - kMidnight;
  };
  (void)take(stock("AAPL"));
  EXPECT_EQ(time_of(kSecond), 24 * kHour + kSecond) << "the first one's time is wrong: it fits today";
  EXPECT_EQ(time_of(kLate), kLate);
  EXPECT_EQ(time_of(kLate + 1), kLate + 1);
  for (const std::int64_t wrong_ns : {2 * kSecond, 3 * kSecond}) {
    EXPECT_EQ(time_of(wrong_ns), 24 * kHour + wrong_ns);
    EXPECT_EQ(time_of(kLate + 2), kLate + 2);
  }
}

TEST_F(ItchTrades, AreOfTheDayThatTwoMessagesOnEndAgreeOn) {
  constexpr std::int64_t kNow = kMidnight + 10 * kHour;
  const auto time_of = [&](std::int64_t since_ns, std::int64_t now_ns) {
    EXPECT_EQ(all.take(hidden(1, 1, 1, since_ns), now_ns), Error::none);
    return only().event_time_ns - kMidnight;
  };
  (void)take(stock("AAPL"));
  EXPECT_EQ(time_of(15 * kHour, kNow), -9 * kHour) << "it fits yesterday";
  EXPECT_EQ(time_of(16 * kHour, kNow), -8 * kHour) << "and so does the next";
  EXPECT_EQ(time_of(9 * kHour, kNow), 9 * kHour);
  EXPECT_EQ(time_of(10 * kHour, kNow), 10 * kHour);
  EXPECT_EQ(time_of(9 * kHour, kNow + 24 * kHour), 9 * kHour) << "their day is found";
}

TEST_F(ItchTrades, AreOfTheDayThatWasToldBeforeThoughTheyFitToday) {
  (void)take(hidden(1, 1, 1));
  EXPECT_EQ(all.day(), std::nullopt);
  (void)take(hidden(1, 1, 2, kTime + 1));
  const auto told = all.day();
  EXPECT_EQ(told, (SessionDay{kTime, kMidnight}));
  all.begin_session(told);
  for (const std::int64_t later_ns : {0, 1, 2}) {
    EXPECT_EQ(all.take(hidden(1, 1, 1, kTime + later_ns), kMidnight + 34 * kHour), Error::none);
    EXPECT_EQ(trades.back().event_time_ns, kMidnight + kTime + later_ns);
  }
  EXPECT_EQ(all.day(), told);
}

TEST_F(ItchTrades, AreOfTheDayThatWasToldBeforeThoughMessagesBeforeItTellTodayNow) {
  all.begin_session(SessionDay{kTime, kMidnight});
  for (const std::int64_t time_ns : {kTime - 2, kTime - 1, kTime, kTime + 1}) {
    EXPECT_EQ(all.take(hidden(1, 1, 1, time_ns), kMidnight + 34 * kHour), Error::none);
  }
  EXPECT_EQ(trades.back().event_time_ns, kMidnight + kTime + 1);
  EXPECT_EQ(all.day(), (SessionDay{kTime - 2, kMidnight}));
}

TEST_F(ItchTrades, AreOfTheNextDayWhereTheSessionsNameComesAgain) {
  constexpr std::int64_t kTomorrow = kMidnight + 24 * kHour;
  all.begin_session(SessionDay{kTime, kMidnight});
  for (const std::int64_t later_ns : {1, 2}) {
    EXPECT_EQ(all.take(hidden(1, 1, 1, kTime + later_ns), kTomorrow + 10 * kHour), Error::none);
    EXPECT_EQ(trades.back().event_time_ns, kTomorrow + kTime + later_ns);
  }
  EXPECT_EQ(all.day(), (SessionDay{kTime + 1, kTomorrow}));
}

TEST_F(ItchTrades, AreOfNoDayThatIsStillToCome) {
  all.begin_session(SessionDay{kTime, kMidnight + 24 * kHour});
  EXPECT_EQ(take(hidden(1, 1, 1)), Error::none);
  EXPECT_EQ(only().event_time_ns, kMidnight + kTime);
}

TEST(ItchErrors, HaveNames) {
  for (std::size_t error = 0; error < kErrorCount; ++error) EXPECT_FALSE(name_of(static_cast<Error>(error)).empty());
}

TEST(ExchangeDay, IsTheOneThatTheTimesFit) {
  // New York: from 2026-03-08 07:00 UTC four hours behind, before that five.
  constexpr std::int64_t kChange = 1'772'953'200 * kSecond;
  const ExchangeDay day({{0, -5 * 3'600}, {kChange, -4 * 3'600}});
  constexpr std::int64_t kMidnightOf8th = 1'772'946'000 * kSecond;  // 05:00 UTC
  constexpr std::int64_t kMidnightOf9th = kMidnightOf8th + 23 * kHour;
  EXPECT_EQ(day.midnight_ns(kMidnightOf8th + kHour, kHour), kMidnightOf8th);
  EXPECT_EQ(day.midnight_ns(kMidnightOf8th + 20 * kHour, 3 * kHour), kMidnightOf8th);
  EXPECT_EQ(day.midnight_ns(kMidnightOf9th + kHour, kHour), kMidnightOf9th);
  EXPECT_EQ(day.midnight_ns(kMidnightOf9th + kHour, 20 * kHour), kMidnightOf8th) << "yesterday's, still heard";
  EXPECT_EQ(day.midnight_ns(kMidnightOf9th - 120 * kSecond, kSecond), kMidnightOf8th);
  EXPECT_EQ(day.midnight_ns(kMidnightOf9th - kSecond, 0), kMidnightOf9th) << "our clock may be a little behind";
  EXPECT_EQ(ExchangeDay({{0, 0}}, 42).midnight_ns(kChange, kHour), 42);
}

}  // namespace
}  // namespace livetape::bridge::itch
