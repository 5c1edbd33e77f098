#include "nic/card_clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;
constexpr std::int64_t kStart = 1'700'000'000 * kSecond;

/// A card whose clock goes at so many ticks in so many nanoseconds, in whole numbers, and had `first` at the start.
struct Card {
  std::uint64_t ticks = 1;
  std::uint64_t in_ns = 1;
  std::uint64_t first = 0;

  [[nodiscard]] std::uint64_t at(std::int64_t utc_ns) const {
    const auto since_ns = static_cast<std::uint64_t>(utc_ns - kStart);
    return first + since_ns / in_ns * ticks + since_ns % in_ns * ticks / in_ns;
  }
};

constexpr Card kGigahertz{};

void see(CardClock& clock, std::int64_t utc_ns, std::uint64_t ticks) { clock.see({utc_ns, ticks, utc_ns}); }

/// Reads both clocks each second, from the first time to the last.
void read(CardClock& clock, const Card& card, std::int64_t from_ns, std::int64_t to_ns) {
  for (std::int64_t now_ns = from_ns; now_ns <= to_ns; now_ns += kSecond) see(clock, now_ns, card.at(now_ns));
}

std::int64_t error_ns(const CardClock& clock, const Card& card, std::int64_t utc_ns) {
  return std::abs(clock.utc_ns(card.at(utc_ns)) - utc_ns);
}

/// One that counts from about 1970, so that even the first reading would tell a rate that is nearly right.
TEST(CardClock, TellsNoneBeforeThreeReadingsAgree) {
  constexpr Card kCard{1, 1, static_cast<std::uint64_t>(kStart + kStart / 200)};
  CardClock clock;
  EXPECT_EQ(clock.utc_ns(0), 0);
  see(clock, kStart, kCard.at(kStart));
  EXPECT_EQ(clock.utc_ns(kCard.at(kStart)), 0);
  const std::int64_t second_ns = kStart + 100 * kMillisecond;
  see(clock, second_ns, kCard.at(second_ns));
  EXPECT_EQ(clock.utc_ns(kCard.at(second_ns)), 0);
  const std::int64_t third_ns = kStart + 300 * kMillisecond;
  see(clock, third_ns, kCard.at(third_ns));
  EXPECT_EQ(clock.utc_ns(kCard.at(third_ns)), third_ns);
}

TEST(CardClock, TellsEachNanosecondOfAClockOfOneGigahertz) {
  CardClock clock;
  read(clock, kGigahertz, kStart, kStart + 5 * kSecond);
  for (const std::int64_t since_ns : {0L, 1L, 123'456'789L, kSecond, 9 * kSecond}) {
    EXPECT_EQ(clock.utc_ns(kGigahertz.at(kStart + 5 * kSecond + since_ns)), kStart + 5 * kSecond + since_ns);
  }
}

TEST(CardClock, TellsTicksOfBeforeTheNewestReading) {
  CardClock clock;
  read(clock, kGigahertz, kStart, kStart + 20 * kSecond);
  for (const std::int64_t before_ns : {1L, 300 * kMillisecond, 9 * kSecond}) {
    EXPECT_EQ(clock.utc_ns(kGigahertz.at(kStart + 20 * kSecond - before_ns)), kStart + 20 * kSecond - before_ns);
  }
}

TEST(CardClock, TellsAClockOf156250KilohertzToItsTick) {
  constexpr Card kCard{5, 32, 987'654'321};  // 6.4 ns
  CardClock clock;
  for (std::int64_t now_ns = kStart; now_ns <= kStart + kDay / 24; now_ns += kSecond + 333'333'333) {
    see(clock, now_ns, kCard.at(now_ns));
    if (now_ns < kStart + 3 * kSecond) continue;
    for (const std::int64_t since_ns : {-kSecond, -7L, 0L, 7L, kSecond}) {
      EXPECT_LE(error_ns(clock, kCard, now_ns + since_ns), 12) << since_ns << " from " << now_ns - kStart;
    }
  }
}

TEST(CardClock, TellsAFastClock) {
  constexpr Card kCard{10, 1};  // 10 GHz
  CardClock clock;
  read(clock, kCard, kStart, kStart + 5 * kSecond);
  EXPECT_LE(error_ns(clock, kCard, kStart + 6 * kSecond), 1);
}

/// A clock that is said to be of 1 GHz would be 4 s off by then.
TEST(CardClock, GoesAlongWithACardsClockThatIs50PpmTooFast) {
  constexpr Card kCard{1'000'050, 1'000'000};
  CardClock clock;
  read(clock, kCard, kStart, kStart + kDay);
  EXPECT_LE(error_ns(clock, kCard, kStart + kDay + kSecond / 2), 5);
}

/// It becomes faster by a millionth each second for 50 s, and is that much too fast from then on.
TEST(CardClock, GoesAlongWithACardsClockThatBecomesFaster) {
  const auto at = [](std::int64_t utc_ns) {
    const Int128 since_ns = utc_ns - kStart;
    const Int128 drifting_ns = std::min(since_ns, Int128{kSecond} * 50);
    const Int128 ahead_ns = drifting_ns * drifting_ns / (2 * Int128{kSecond} * 1'000'000);
    return static_cast<std::uint64_t>(since_ns + ahead_ns + (since_ns - drifting_ns) * 50 / 1'000'000);
  };
  CardClock clock;
  for (std::int64_t now_ns = kStart; now_ns <= kStart + 3'600 * kSecond; now_ns += kSecond) {
    see(clock, now_ns, at(now_ns));
    if (now_ns < kStart + 2 * kSecond) continue;
    const std::int64_t later_ns = now_ns + 900 * kMillisecond;
    const bool is_drifting = now_ns < kStart + 52 * kSecond;
    EXPECT_LE(std::abs(clock.utc_ns(at(later_ns)) - later_ns), is_drifting ? 1'000 : 3) << now_ns - kStart;
  }
}

TEST(CardClock, TellsNoneBehindAStepOfOurClockUntilThreeReadingsAgree) {
  for (const std::int64_t step_ns :
       {3'600 * kSecond, -3'600 * kSecond, -kSecond / 5, 2 * kMillisecond, -2 * kMillisecond}) {
    CardClock clock;
    read(clock, kGigahertz, kStart, kStart + 9 * kSecond);
    for (int second = 10; second <= 11; ++second) {
      const std::int64_t now_ns = kStart + second * kSecond;
      see(clock, now_ns + step_ns, kGigahertz.at(now_ns));
      EXPECT_EQ(clock.utc_ns(kGigahertz.at(now_ns)), 0) << step_ns << " " << second;
    }
    const std::int64_t now_ns = kStart + 12 * kSecond;
    see(clock, now_ns + step_ns, kGigahertz.at(now_ns));
    EXPECT_EQ(clock.utc_ns(kGigahertz.at(now_ns + kSecond / 2)), now_ns + kSecond / 2 + step_ns);
  }
}

/// Half a millisecond each second, as the kernel does at the most.
TEST(CardClock, TakesOurClockThatIsSlewedForNoStep) {
  CardClock clock;
  read(clock, kGigahertz, kStart, kStart + 9 * kSecond);
  for (int second = 1; second <= 60; ++second) {
    const std::int64_t now_ns = kStart + (9 + second) * kSecond;
    see(clock, now_ns + second * 500'000L, kGigahertz.at(now_ns));
    EXPECT_EQ(clock.utc_ns(kGigahertz.at(now_ns)), now_ns + second * 500'000L);
  }
}

TEST(CardClock, TellsNoneBehindACardsClockThatBeginsAnewUntilThreeReadingsAgree) {
  CardClock clock;
  read(clock, kGigahertz, kStart, kStart + 20 * kSecond);
  const auto anew = [](std::int64_t utc_ns) { return kGigahertz.at(utc_ns) - kGigahertz.at(kStart + 20 * kSecond); };
  for (int second = 21; second <= 23; ++second) {
    const std::int64_t now_ns = kStart + second * kSecond;
    see(clock, now_ns, anew(now_ns));
    EXPECT_EQ(clock.utc_ns(anew(now_ns)), second == 23 ? now_ns : 0);
  }
}

TEST(CardClock, TellsNoneOfAClockThatStandsStill) {
  CardClock clock;
  for (int second = 0; second < 9; ++second) {
    see(clock, kStart + second * kSecond, 5);
    EXPECT_EQ(clock.utc_ns(5), 0);
  }
}

/// By the end a float of 64 bits would not tell one tick from the next, and nor would a rate that was taken once.
TEST(CardClock, TellsMonthsOfTicks) {
  constexpr Card kCard{1'000'000'007, 1'000'000'000};
  constexpr std::int64_t kEnd = kStart + 200 * kDay;
  CardClock clock;
  for (std::int64_t now_ns = kStart; now_ns <= kEnd; now_ns += 5 * kSecond) see(clock, now_ns, kCard.at(now_ns));
  EXPECT_LE(error_ns(clock, kCard, kEnd + kSecond), 2);
  EXPECT_LE(error_ns(clock, kCard, kEnd - kSecond), 2);
}

TEST(CardClock, GoesOnWhereTheTicksRunOver) {
  constexpr Card kCard{1, 1, ~std::uint64_t{0} - static_cast<std::uint64_t>(5 * kSecond + kSecond / 2)};
  CardClock clock;
  for (std::int64_t now_ns = kStart; now_ns <= kStart + 9 * kSecond; now_ns += kSecond) {
    see(clock, now_ns, kCard.at(now_ns));
    if (now_ns < kStart + 2 * kSecond) continue;
    EXPECT_EQ(clock.utc_ns(kCard.at(now_ns + 600 * kMillisecond)), now_ns + 600 * kMillisecond);
    EXPECT_EQ(clock.utc_ns(kCard.at(now_ns - 600 * kMillisecond)), now_ns - 600 * kMillisecond);
  }
}

/// Such ticks are of another clock than the one that is read, or of a card that has not been read for long.
TEST(CardClock, TellsNoneFarFromTheNewestReading) {
  CardClock clock;
  constexpr std::int64_t kNewest = kStart + 100 * kSecond;
  read(clock, kGigahertz, kStart, kNewest);
  constexpr std::int64_t kReach = CardClock::kReachNs;
  EXPECT_EQ(clock.utc_ns(kGigahertz.at(kNewest + kReach)), kNewest + kReach);
  EXPECT_EQ(clock.utc_ns(kGigahertz.at(kNewest - kReach)), kNewest - kReach);
  EXPECT_EQ(clock.utc_ns(kGigahertz.at(kNewest + kReach + 1)), 0);
  EXPECT_EQ(clock.utc_ns(kGigahertz.at(kNewest - kReach - 1)), 0);
  EXPECT_EQ(clock.utc_ns(kGigahertz.at(kNewest) + (std::uint64_t{1} << 63)), 0);
}

TEST(CardClock, TakesTheMiddleOfTheTimeThatAReadingTook) {
  CardClock clock;
  for (int second = 0; second <= 2; ++second) {
    const std::int64_t now_ns = kStart + second * kSecond;
    const std::int64_t half_ns = 400L * second;
    clock.see({now_ns - half_ns, kGigahertz.at(now_ns), now_ns + half_ns});
  }
  EXPECT_EQ(clock.utc_ns(kGigahertz.at(kStart + 3 * kSecond)), kStart + 3 * kSecond);
}

/// Interrupted after the card was read, or with our clock set back meanwhile.
TEST(CardClock, LeavesOutAReadingThatTookLong) {
  for (const std::int64_t took_ns : {CardClock::kLongestReadNs + 1, kSecond, -kSecond}) {
    CardClock clock;
    read(clock, kGigahertz, kStart, kStart + 5 * kSecond);
    const std::int64_t now_ns = kStart + 6 * kSecond;
    clock.see({now_ns, kGigahertz.at(now_ns), now_ns + took_ns});
    EXPECT_EQ(clock.utc_ns(kGigahertz.at(now_ns)), now_ns) << took_ns;
    read(clock, kGigahertz, kStart + 7 * kSecond, kStart + 7 * kSecond);
    EXPECT_EQ(clock.utc_ns(kGigahertz.at(kStart + 8 * kSecond)), kStart + 8 * kSecond) << took_ns;
  }
}

}  // namespace
}  // namespace livetape::bridge
