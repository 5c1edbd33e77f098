#include "nic/mold_receiver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace livetape::bridge::mold {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::int64_t kMs = 1'000'000;
const Session kSession{'S', 'E', 'S', 'S', 'I', 'O', 'N', '0', '0', '1'};
const Session kNextSession{'S', 'E', 'S', 'S', 'I', 'O', 'N', '0', '0', '2'};

std::string message(std::uint64_t number) { return "message " + std::to_string(number); }

Bytes packet(const Session& session, std::uint64_t sequence, std::uint16_t count,
             const std::vector<std::string>& messages) {
  Bytes bytes(Header::kBytes);
  std::copy(session.begin(), session.end(), bytes.begin());
  write_big_endian<8>(bytes.data() + 10, sequence);
  write_big_endian<2>(bytes.data() + 18, count);
  for (const std::string& text : messages) {
    bytes.push_back(static_cast<std::uint8_t>(text.size() >> 8));
    bytes.push_back(static_cast<std::uint8_t>(text.size()));
    bytes.insert(bytes.end(), text.begin(), text.end());
  }
  return bytes;
}

/// Messages [first, end) of a session.
Bytes packet(std::uint64_t first, std::uint64_t end, const Session& session = kSession) {
  std::vector<std::string> messages;
  for (std::uint64_t number = first; number < end; ++number) messages.push_back(message(number));
  return packet(session, first, static_cast<std::uint16_t>(end - first), messages);
}

Bytes heartbeat(std::uint64_t next, const Session& session = kSession) { return packet(session, next, 0, {}); }
Bytes end_of_session(std::uint64_t next, const Session& session = kSession) {
  return packet(session, next, Header::kEndOfSession, {});
}

/// Writes down what it hears.
class Log final : public Listener {
 public:
  std::vector<std::string> heard;
  std::vector<std::pair<std::int64_t, std::int64_t>> arrivals;  // receive and hardware time of each message
  std::deque<Header> requests;

  void on_session(const Session& session) override { heard.push_back("session " + std::string(session.data(), 10)); }
  void on_messages(Messages messages, const Arrival& arrival) override {
    for (; !messages.empty(); messages.pop()) {
      heard.emplace_back(messages.front().begin(), messages.front().end());
      arrivals.emplace_back(arrival.receive_time_ns, arrival.hardware_time_ns);
    }
  }
  void on_lost(std::uint64_t first, std::uint64_t end) override {
    heard.push_back("lost " + std::to_string(first) + " to " + std::to_string(end));
  }
  void on_end() override { heard.emplace_back("end"); }
  void on_other_session(const Session& session) override {
    heard.push_back("messages of " + std::string(session.data(), session.size()) + " left out");
  }
  void on_request(std::span<const std::uint8_t> bytes) override {
    EXPECT_EQ(bytes.size(), Header::kBytes);
    EXPECT_TRUE(std::equal(kSession.begin(), kSession.end(), bytes.begin()));
    requests.push_back({kSession, read_big_endian<8>(bytes.data() + 10), read_big_endian<2>(bytes.data() + 18)});
  }
  std::vector<std::string> take() { return std::exchange(heard, {}); }
};

class MoldReceiver : public testing::Test {
 protected:
  void begin(Receiver& receiver) {
    receiver.take(packet(1, 2), 0);
    EXPECT_EQ(log_.take(), (Heard{"session SESSION001", "message 1"}));
  }
  using Heard = std::vector<std::string>;

  Log log_;
  ReceiverMetrics metrics_;
  Receiver alone_{log_, metrics_, false, 1};
  Receiver of_two_lines_{log_, metrics_, false, 2};
  Receiver served_{log_, metrics_, true, 2};
};

TEST_F(MoldReceiver, TakesEachMessageFromTheLineThatHasItFirst) {
  begin(alone_);
  alone_.take(packet(2, 4), 0);
  alone_.take(packet(2, 4), 0);
  alone_.take(packet(3, 6), 0);
  EXPECT_EQ(log_.take(), (Heard{"message 2", "message 3", "message 4", "message 5"}));
  EXPECT_EQ(metrics_.duplicates, 1U);
  EXPECT_EQ(metrics_.messages, 5U);
}

TEST_F(MoldReceiver, HoldsBackWhatCameTooEarly) {
  begin(alone_);
  alone_.take(packet(4, 6), 0);
  alone_.take(packet(7, 8), 0);
  EXPECT_TRUE(alone_.is_behind());
  EXPECT_EQ(log_.take(), Heard{});
  alone_.tick(Receiver::kPatienceNs - 1);
  alone_.take(packet(2, 5), kMs);
  EXPECT_EQ(log_.take(), (Heard{"message 2", "message 3", "message 4", "message 5"}));
  alone_.take(packet(6, 7), kMs);
  EXPECT_EQ(log_.take(), (Heard{"message 6", "message 7"}));
  EXPECT_FALSE(alone_.is_behind());
  EXPECT_EQ(metrics_.gaps, 1U);
}

TEST_F(MoldReceiver, TellsOfWhatItHeldBackWhenThatCameItself) {
  alone_.take(packet(1, 2), 0, {10, 1});
  alone_.take(packet(4, 6), 0, {40, 4});
  alone_.take(packet(3, 5), 0, {50, 5});
  alone_.take(packet(2, 3), 0, {60, 6});
  using Arrivals = std::vector<std::pair<std::int64_t, std::int64_t>>;
  EXPECT_EQ(log_.arrivals, (Arrivals{{10, 1}, {60, 6}, {50, 5}, {40, 4}, {40, 4}}));
}

TEST_F(MoldReceiver, GivesUpWhatNoLineBringsWhenThereIsNoServer) {
  begin(alone_);
  alone_.take(packet(4, 5), 0);
  alone_.take(packet(7, 8), 0);
  alone_.tick(Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), (Heard{"lost 2 to 4", "message 4"}));
  alone_.tick(Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), (Heard{"lost 5 to 7", "message 7"}));
  EXPECT_EQ(metrics_.lost_messages, 4U);
  alone_.take(packet(2, 3), 2 * Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), Heard{}) << "too late";
}

TEST_F(MoldReceiver, WaitsForTheOtherLineWhereNobodyElseCanBringAMessage) {
  begin(of_two_lines_);
  of_two_lines_.take(packet(3, 4), 0);
  of_two_lines_.tick(Receiver::kOtherLineNs - 1);
  of_two_lines_.take(packet(2, 3), Receiver::kOtherLineNs - 1);
  EXPECT_EQ(log_.take(), (Heard{"message 2", "message 3"}));
  of_two_lines_.take(packet(5, 6), kMs);
  of_two_lines_.tick(kMs + Receiver::kOtherLineNs);
  EXPECT_EQ(log_.take(), (Heard{"lost 4 to 5", "message 5"}));
}

TEST_F(MoldReceiver, WaitsForTheOtherLineNoLongerThanMessagesCanBeHeld) {
  constexpr std::uint64_t kBehind = 2 + HeldMessages::kWindow;
  begin(of_two_lines_);
  of_two_lines_.take(packet(3, 4), 0);
  of_two_lines_.take(packet(6, 7), 0);
  of_two_lines_.take(packet(kBehind - 1, kBehind), 0);
  EXPECT_EQ(log_.take(), Heard{});
  of_two_lines_.take(packet(kBehind, kBehind + 1), 0);
  EXPECT_EQ(log_.take(), (Heard{"lost 2 to 3", "message 3"}));
  of_two_lines_.take(packet(4, 6), 0);
  EXPECT_EQ(log_.take(), (Heard{"message 4", "message 5", "message 6"}));
  EXPECT_EQ(metrics_.too_far_ahead, 0U);
}

TEST_F(MoldReceiver, GivesEachMessageItsOwnTimeToCome) {
  begin(alone_);
  alone_.take(packet(3, 4), 0);
  alone_.take(packet(5, 6), 3 * kMs);
  alone_.take(packet(2, 3), 4 * kMs);
  EXPECT_EQ(log_.take(), (Heard{"message 2", "message 3"}));
  alone_.tick(Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), Heard{}) << "4 is known of since 3 ms";
  alone_.tick(3 * kMs + Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), (Heard{"lost 4 to 5", "message 5"}));
}

TEST_F(MoldReceiver, LearnsOfAGapFromAHeartbeat) {
  begin(served_);
  served_.take(heartbeat(3), 0);
  EXPECT_TRUE(served_.is_behind());
  served_.tick(Receiver::kPatienceNs);
  ASSERT_EQ(log_.requests.size(), 1U);
  EXPECT_EQ(log_.requests[0].sequence, 2U);
  EXPECT_EQ(log_.requests[0].count, 1U);
  served_.take(packet(2, 3), Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), Heard{"message 2"});
  EXPECT_FALSE(served_.is_behind());
}

TEST_F(MoldReceiver, AsksForNoMoreThanItMayHaveUnderWay) {
  begin(served_);
  served_.take(packet(100'000, 100'001), 0);
  served_.take(heartbeat(100'001), 0);
  EXPECT_EQ(metrics_.too_far_ahead, 1U);
  std::int64_t now_ns = Receiver::kPatienceNs;
  for (int i = 0; i < 3; ++i) served_.tick(now_ns);
  ASSERT_EQ(log_.requests.size(), Receiver::kRequests);
  for (std::size_t i = 0; i < Receiver::kRequests; ++i) {
    EXPECT_EQ(log_.requests[i].sequence, 2 + i * Receiver::kMessagesPerRequest);
    EXPECT_EQ(log_.requests[i].count, Receiver::kMessagesPerRequest);
  }
  served_.take(packet(2, 20), now_ns);  // the server sends what goes into a packet
  served_.tick(now_ns);
  ASSERT_EQ(log_.requests.size(), Receiver::kRequests + 1);
  EXPECT_EQ(log_.requests.back().sequence, 20U);
  EXPECT_EQ(log_.requests.back().count, 46U);
}

TEST_F(MoldReceiver, AsksAgainWhenNoAnswerComesAndThenGivesUp) {
  begin(served_);
  served_.take(packet(3, 4), 0);
  std::int64_t now_ns = Receiver::kPatienceNs;
  served_.tick(now_ns);
  for (int attempt = 1; attempt < Receiver::kAttempts; ++attempt) {
    served_.tick(now_ns + Receiver::kTimeoutNs - 1);
    EXPECT_EQ(log_.requests.size(), static_cast<std::size_t>(attempt));
    now_ns += Receiver::kTimeoutNs;
    served_.tick(now_ns);
  }
  EXPECT_EQ(log_.requests.size(), static_cast<std::size_t>(Receiver::kAttempts));
  EXPECT_EQ(log_.take(), Heard{});
  log_.requests.clear();
  for (now_ns += Receiver::kTimeoutNs; log_.heard.empty(); now_ns += kMs) served_.tick(now_ns);
  EXPECT_EQ(log_.take(), (Heard{"lost 2 to 3", "message 3"}));
  ASSERT_EQ(log_.requests.size(), static_cast<std::size_t>(Receiver::kProbeAttempts));
  EXPECT_EQ(log_.requests[0].sequence, 3U) << "whether the server is there: it must have what a line has";
  EXPECT_EQ(log_.requests[0].count, 1U);
}

/// A server that has all messages but some, and fills its packets with what was asked for, up to the first that it
/// lacks.
class Server {
 public:
  using Lacks = std::function<bool(std::uint64_t)>;
  explicit Server(Lacks lacks) : lacks_(std::move(lacks)) {}

  /// Has the receiver's questions answered, each a millisecond after it, until nothing is missing; says how long it
  /// took.
  std::int64_t serve(Receiver& receiver, std::deque<Header>& requests, std::int64_t now_ns) {
    const std::int64_t start_ns = now_ns;
    for (; receiver.is_behind(); now_ns += kMs) {
      for (; !requests.empty(); requests.pop_front()) answer(receiver, requests.front(), now_ns);
      receiver.tick(now_ns);
    }
    return now_ns - start_ns;
  }

 private:
  void answer(Receiver& receiver, const Header& request, std::int64_t now_ns) const {
    constexpr std::uint64_t kPerPacket = 40;
    std::uint64_t end = request.sequence;
    const std::uint64_t last = request.sequence + std::min<std::uint64_t>(request.count, kPerPacket);
    while (end < last && !lacks_(end)) ++end;
    if (end > request.sequence) receiver.take_answer(packet(request.sequence, end), now_ns);
  }

  Lacks lacks_;
};

TEST_F(MoldReceiver, LosesTheOneMessageThatAServerLacks) {
  begin(served_);
  served_.take(packet(22, 23), 0);
  (void)Server([](std::uint64_t number) { return number == 2; }).serve(served_, log_.requests, 0);
  Heard expected{"lost 2 to 3"};
  for (std::uint64_t number = 3; number < 23; ++number) expected.push_back(message(number));
  EXPECT_EQ(log_.take(), expected);
}

TEST_F(MoldReceiver, LosesEachMessageThatAServerLacks) {
  begin(served_);
  served_.take(packet(300, 301), 0);
  const auto lacks = [](std::uint64_t number) { return number % 50 == 3 || (number > 120 && number < 140); };
  (void)Server(lacks).serve(served_, log_.requests, 0);
  std::vector<std::string> lost;
  for (const std::string& line : log_.take()) {
    if (line.starts_with("lost")) lost.push_back(line);
  }
  EXPECT_EQ(lost, (Heard{"lost 3 to 4", "lost 53 to 54", "lost 103 to 104", "lost 121 to 140", "lost 153 to 154",
                         "lost 203 to 204", "lost 253 to 254"}));
}

TEST_F(MoldReceiver, WaitsAsBeforeForAServerThatLackedOne) {
  begin(served_);
  served_.take(packet(3, 4), 0);
  const std::int64_t took_ns =
      Server([](std::uint64_t number) { return number == 2; }).serve(served_, log_.requests, 0);
  EXPECT_EQ(log_.take(), (Heard{"lost 2 to 3", "message 3"}));
  served_.take(packet(6, 7), took_ns);
  served_.tick(took_ns + Receiver::kPatienceNs);
  ASSERT_EQ(log_.requests.size(), 1U);
  EXPECT_EQ(log_.requests[0].count, 2U) << "it is asked as one that answers";
}

TEST_F(MoldReceiver, LosesOfALongOutageWhatAServerNoLongerHas) {
  constexpr std::uint64_t kBack = 600'000;
  constexpr std::uint64_t kOldest = 234'567;
  begin(served_);
  served_.take(packet(kBack, kBack + 1), 0);
  served_.take(packet(kBack + 1, kBack + 2), 0);
  const std::int64_t took_ns =
      Server([](std::uint64_t number) { return number < kOldest; }).serve(served_, log_.requests, 0);
  EXPECT_EQ(log_.heard[0], "lost 2 to " + std::to_string(kOldest));
  EXPECT_EQ(log_.heard[1], message(kOldest));
  EXPECT_EQ(log_.heard.back(), message(kBack + 1));
  EXPECT_EQ(metrics_.lost_messages, kOldest - 2);
  EXPECT_LT(took_ns, 10'000 * kMs) << "by its own clock";
}

TEST_F(MoldReceiver, GivesUpAServerThatIsGoneHoweverMuchIsMissing) {
  constexpr std::uint64_t kBack = 6'000'000;
  begin(served_);
  served_.take(packet(kBack, kBack + 1), 0);
  served_.take(packet(kBack + 1, kBack + 2), 0);
  const std::int64_t took_ns = Server([](std::uint64_t) { return true; }).serve(served_, log_.requests, 0);
  EXPECT_EQ(log_.heard, (Heard{"lost 2 to " + std::to_string(kBack + 2)}));
  EXPECT_LT(took_ns, Receiver::kAttempts * Receiver::kTimeoutNs + 25 * Receiver::kTimeoutNs);
}

TEST_F(MoldReceiver, EndsItsSearchWhenWhatWasMissingComesAfterAll) {
  begin(served_);
  served_.take(packet(22, 23), 0);
  std::int64_t now_ns = 0;
  while (metrics_.requests <= static_cast<std::uint64_t>(Receiver::kAttempts)) served_.tick(now_ns += kMs);
  served_.take(packet(2, 6), now_ns);
  log_.requests.clear();
  served_.tick(now_ns += kMs);
  ASSERT_EQ(log_.requests.size(), 1U);
  EXPECT_EQ(log_.requests[0].sequence, 6U);
  EXPECT_EQ(log_.requests[0].count, 16U);
  EXPECT_EQ(metrics_.lost_messages, 0U);
}

/// Asks for the second message until it is given up, and is told that the third is there.
std::int64_t lose_the_second(Receiver& receiver) {
  receiver.take(packet(3, 4), 0);
  std::int64_t now_ns = Receiver::kPatienceNs;
  for (; receiver.is_behind(); now_ns += Receiver::kTimeoutNs / Receiver::kProbeAttempts) receiver.tick(now_ns);
  return now_ns;
}

TEST_F(MoldReceiver, GoesOnAsWithoutAServerWhileItIsSilent) {
  begin(served_);
  std::int64_t now_ns = lose_the_second(served_);
  EXPECT_EQ(log_.take(), (Heard{"lost 2 to 3", "message 3"}));
  served_.take(packet(5, 6), now_ns);
  served_.take(packet(7, 8), now_ns + kMs);
  now_ns += Receiver::kPatienceNs;
  log_.requests.clear();
  served_.tick(now_ns);
  ASSERT_EQ(log_.requests.size(), 1U) << "whether it is back";
  EXPECT_EQ(log_.requests[0].sequence, 4U);
  served_.tick(now_ns + Receiver::kTimeoutNs - 1);
  EXPECT_EQ(log_.take(), Heard{}) << "it may lack the second alone";
  served_.tick(now_ns + Receiver::kTimeoutNs);
  EXPECT_EQ(log_.take(), (Heard{"lost 4 to 5", "message 5", "lost 6 to 7", "message 7"}));
  served_.take(packet(9, 10), now_ns + Receiver::kTimeoutNs);
  served_.tick(now_ns + Receiver::kTimeoutNs + Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), (Heard{"lost 8 to 9", "message 9"}));
  EXPECT_EQ(log_.requests.size(), 1U) << "not with each packet";
  now_ns += Receiver::kProbeEveryNs;
  served_.take(packet(11, 12), now_ns - Receiver::kPatienceNs);
  served_.tick(now_ns);
  EXPECT_EQ(log_.requests.size(), 2U) << "but each second";
  EXPECT_EQ(log_.take(), Heard{});
}

TEST_F(MoldReceiver, WaitsForAServerAgainOnceItHasAnswered) {
  begin(served_);
  std::int64_t now_ns = lose_the_second(served_);
  served_.take(packet(5, 6), now_ns);
  served_.tick(now_ns += Receiver::kPatienceNs);
  served_.tick(now_ns += Receiver::kTimeoutNs);
  served_.take(packet(4, 5), now_ns);  // its answer, too late
  EXPECT_EQ(log_.take(), (Heard{"lost 2 to 3", "message 3", "lost 4 to 5", "message 5"}));
  served_.take(packet(7, 8), now_ns);
  served_.tick(now_ns += Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), Heard{});
  served_.take(packet(6, 7), now_ns);
  EXPECT_EQ(log_.take(), (Heard{"message 6", "message 7"}));
}

TEST_F(MoldReceiver, LosesNothingElseToAServerThatLackedOne) {
  for (const std::int64_t later_ns : {std::int64_t{0}, 3600 * Receiver::kProbeEveryNs}) {
    Receiver receiver(log_, metrics_, true, 2);
    begin(receiver);
    std::int64_t now_ns = lose_the_second(receiver) + later_ns;
    EXPECT_EQ(log_.take(), (Heard{"lost 2 to 3", "message 3"}));
    log_.requests.clear();
    receiver.take(packet(5, 6), now_ns);
    receiver.tick(now_ns += Receiver::kPatienceNs);
    ASSERT_EQ(log_.requests.size(), 1U);
    EXPECT_EQ(log_.requests[0].sequence, 4U);
    receiver.take(packet(4, 5), now_ns + kMs);
    EXPECT_EQ(log_.take(), (Heard{"message 4", "message 5"}));
    receiver.take(packet(7, 8), now_ns + kMs);
    receiver.tick(now_ns + kMs + Receiver::kPatienceNs);
    receiver.take(packet(6, 7), now_ns + kMs + Receiver::kPatienceNs + kMs);
    EXPECT_EQ(log_.take(), (Heard{"message 6", "message 7"})) << "it is asked as before";
  }
}

TEST_F(MoldReceiver, IsNotDoneWithAServerThatOnlyLacksSome) {
  begin(served_);
  served_.take(packet(3, 4), 0);
  std::int64_t now_ns = Receiver::kPatienceNs;
  std::uint64_t next = 4;
  for (int attempt = 0; attempt <= Receiver::kAttempts; ++attempt, now_ns += Receiver::kTimeoutNs, next += 2) {
    served_.tick(now_ns);
    served_.take(packet(next + 1, next + 2), now_ns);
    served_.tick(now_ns + Receiver::kPatienceNs);
    served_.take(packet(next, next + 1), now_ns + Receiver::kPatienceNs);  // that one it has
    served_.tick(now_ns + Receiver::kPatienceNs);
  }
  (void)log_.take();
  served_.take(packet(next + 1, next + 2), now_ns);
  served_.tick(now_ns + Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), Heard{}) << "it is waited for";
}

TEST_F(MoldReceiver, TakesASessionFromItsFirstMessageWhereAServerHasIt) {
  served_.take(packet(5, 6), 0);
  EXPECT_EQ(log_.take(), Heard{"session SESSION001"});
  served_.tick(Receiver::kPatienceNs);
  served_.take(packet(1, 5), Receiver::kPatienceNs);
  EXPECT_EQ(log_.take(), (Heard{"message 1", "message 2", "message 3", "message 4", "message 5"}));
}

TEST_F(MoldReceiver, TakesASessionFromWhatItHearsFirstWhereNoServerIs) {
  alone_.take(packet(5, 6), 0);
  EXPECT_EQ(log_.take(), (Heard{"session SESSION001", "lost 1 to 5", "message 5"}));
}

TEST_F(MoldReceiver, EndsASessionWhenAllOfItIsHere) {
  begin(served_);
  served_.take(end_of_session(3), 0);
  EXPECT_FALSE(served_.has_ended());
  served_.take(packet(2, 3), 0);
  EXPECT_EQ(log_.take(), (Heard{"message 2", "end"}));
  served_.take(end_of_session(3), 0);
  EXPECT_EQ(log_.take(), Heard{}) << "it is told once";
  EXPECT_TRUE(served_.has_ended());
}

TEST_F(MoldReceiver, GoesOnWithTheNextSessionAndLeavesTheOneBefore) {
  constexpr std::int64_t kLater = FeedHearing::kPastNs;
  begin(alone_);
  alone_.take(packet(3, 4), 0);
  alone_.take(packet(1, 2, kNextSession), 0);
  alone_.tick(kLater - 1);
  alone_.take(packet(1, 2, kNextSession), kLater - 1);
  EXPECT_EQ(metrics_.other_session, 2U) << "the one before may go on";
  log_.take();
  alone_.tick(kLater);
  alone_.take(packet(1, 2, kNextSession), kLater);
  EXPECT_EQ(log_.take(), Heard{}) << "it may be anybody's";
  alone_.take(heartbeat(2, kNextSession), kLater);
  EXPECT_EQ(log_.take(), (Heard{"session SESSION002", "message 1"}));
  alone_.take(packet(2, 5), kLater);
  alone_.take(heartbeat(2, kNextSession), kLater);
  EXPECT_EQ(log_.take(), Heard{"messages of SESSION001 left out"});
  EXPECT_EQ(metrics_.other_session, 3U);
}

TEST_F(MoldReceiver, LosesNothingThatItHoldsWhenTheNextSessionBegins) {
  constexpr std::int64_t kLater = FeedHearing::kPastNs;
  begin(served_);
  served_.take(packet(3, 4), 0);
  served_.tick(kLater);
  served_.take(packet(1, 2, kNextSession), kLater);
  served_.take(heartbeat(2, kNextSession), kLater);
  EXPECT_EQ(log_.take(), (Heard{"lost 2 to 3", "message 3", "session SESSION002", "message 1"}));
}

TEST_F(MoldReceiver, LeavesASessionThatItHearsForNoOther) {
  constexpr std::int64_t kSecond = 1'000 * kMs;
  begin(alone_);
  std::uint64_t next = 2;
  for (std::int64_t now_ns = 0; now_ns < 60 * kSecond; now_ns += kSecond) {
    alone_.take(heartbeat(9, kNextSession), now_ns);
    alone_.take(packet(9, 10, kNextSession), now_ns);
    const bool is_quiet = now_ns > 30 * kSecond;
    alone_.take(is_quiet ? heartbeat(next) : packet(next, next + 1), now_ns);
    alone_.tick(now_ns);
    Heard expected = now_ns == 0 ? Heard{"messages of SESSION002 left out"} : Heard{};
    if (!is_quiet) expected.push_back(message(next++));
    EXPECT_EQ(log_.take(), expected) << "the other one is told of once";
  }
  EXPECT_EQ(metrics_.doubted, 0U);
}

TEST_F(MoldReceiver, LeavesASessionOfHeartbeatsAloneForOneThatHasMessages) {
  for (Receiver* receiver : {&alone_, &served_}) {
    receiver->take(heartbeat(9, kNextSession), 0);
    receiver->take(heartbeat(1), 0);
    receiver->take(heartbeat(1), 0);
    log_.take();
    receiver->take(packet(1, 2), 0);
    EXPECT_EQ(log_.take(), Heard{}) << "it may be anybody's";
    receiver->take(heartbeat(9, kNextSession), 0);
    receiver->take(packet(2, 3), 0);
    const Heard heard = log_.take();
    ASSERT_GE(heard.size(), 3U);
    EXPECT_EQ(Heard(heard.end() - 3, heard.end()), (Heard{"session SESSION001", "message 1", "message 2"}));
    for (int times = 0; times < 3; ++times) receiver->take(heartbeat(9, kNextSession), 0);
    receiver->take(packet(3, 4), 0);
    EXPECT_EQ(log_.take(), Heard{"message 3"});
  }
}

TEST_F(MoldReceiver, LeavesASessionOfHeartbeatsAloneForOneWhoseMessagesAreSeldom) {
  alone_.take(heartbeat(9, kNextSession), 0);
  log_.take();
  alone_.take(packet(1, 2), 0);
  alone_.take(heartbeat(2), 1'000 * kMs);
  EXPECT_EQ(log_.take(), (Heard{"session SESSION001", "message 1"}));
}

TEST_F(MoldReceiver, ReadsNothingAgainOfASessionThatEndedBeforeTheOneThatHasNoMessagesYet) {
  begin(alone_);
  alone_.take(packet(2, 3), 0);
  alone_.take(end_of_session(3), 0);
  for (int times = 0; times < 2; ++times) alone_.take(heartbeat(1, kNextSession), 0);
  EXPECT_EQ(log_.take().back(), "session SESSION002");
  for (int times = 0; times < 3; ++times) alone_.take(packet(1, 3), 0);
  EXPECT_EQ(log_.take(), Heard{}) << "they are of a line that lags";
  alone_.take(packet(1, 2, kNextSession), 0);
  EXPECT_EQ(log_.take(), Heard{"message 1"});
}

TEST_F(MoldReceiver, ComesBackFromHeartbeatsOfAnotherSessionOnceItHasMessagesAgain) {
  constexpr std::int64_t kLater = FeedHearing::kPastNs;
  begin(alone_);
  alone_.tick(kLater);
  for (int times = 0; times < 2; ++times) alone_.take(heartbeat(1, kNextSession), kLater);
  EXPECT_EQ(log_.take(), Heard{"session SESSION002"});
  alone_.take(packet(2, 3), kLater);
  alone_.take(packet(3, 4), kLater);
  EXPECT_EQ(log_.take(), (Heard{"session SESSION001", "lost 1 to 2", "message 2", "message 3"}));
  for (int times = 0; times < 2; ++times) alone_.take(packet(1, 2, kNextSession), kLater);
  EXPECT_EQ(log_.take(), Heard{"messages of SESSION002 left out"});
}

TEST_F(MoldReceiver, ComesBackToASessionThatItLeft) {
  begin(served_);
  std::int64_t now_ns = 0;
  for (const Session& session : {kNextSession, kSession, kNextSession}) {
    served_.tick(now_ns += FeedHearing::kPastNs);
    served_.take(packet(1, 2, session), now_ns);
    served_.take(packet(2, 3, session), now_ns);
    EXPECT_EQ(log_.take(), (Heard{"session " + std::string(session.data(), session.size()), "message 1", "message 2"}));
  }
}

TEST_F(MoldReceiver, LeavesASessionThatEndedAtOnceButForNoneThatHasEndedToo) {
  begin(alone_);
  alone_.take(end_of_session(2), 0);
  EXPECT_EQ(log_.take(), Heard{"end"});
  alone_.take(end_of_session(2, kNextSession), 0);
  alone_.take(end_of_session(2, kNextSession), 0);
  EXPECT_EQ(log_.take(), Heard{});
  alone_.take(packet(1, 2, kNextSession), 0);
  alone_.take(heartbeat(2, kNextSession), 0);
  EXPECT_EQ(log_.take(), (Heard{"session SESSION002", "message 1"}));
  alone_.take(end_of_session(2, kNextSession), 0);
  alone_.take(end_of_session(2), 0);
  alone_.take(end_of_session(2), 0);
  EXPECT_EQ(log_.take(), Heard{"end"}) << "both are told to have ended for as long as their senders run";
}

TEST_F(MoldReceiver, TakesWhatWaitsToBeReadForNoSilence) {
  constexpr std::int64_t kLater = 10 * FeedHearing::kPastNs;
  begin(alone_);
  alone_.tick(kMs);
  alone_.take(heartbeat(9, kNextSession), kLater);  // nothing was read for long, and the lines have all of it
  alone_.take(heartbeat(9, kNextSession), kLater);
  alone_.take(packet(2, 3), kLater);
  alone_.tick(kLater);
  alone_.take(heartbeat(9, kNextSession), kLater);
  alone_.take(heartbeat(9, kNextSession), kLater);
  EXPECT_EQ(log_.take(), Heard{"message 2"});
}

TEST_F(MoldReceiver, BeginsNoSessionByAnAnswer) {
  constexpr std::int64_t kLater = FeedHearing::kPastNs;
  served_.take_answer(packet(1, 2), 0);
  EXPECT_EQ(log_.take(), Heard{});
  begin(served_);
  served_.tick(kLater);
  for (int times = 0; times < 2; ++times) served_.take_answer(packet(2, 3, kNextSession), kLater);
  served_.take_answer(packet(2, 3), kLater);
  EXPECT_EQ(log_.take(), Heard{"message 2"});
  served_.take(end_of_session(3), kLater);
  EXPECT_EQ(log_.take(), Heard{"end"});
  served_.tick(2 * kLater);
  for (int times = 0; times < 2; ++times) served_.take_answer(packet(2, 3, kNextSession), 2 * kLater);
  for (int times = 0; times < 2; ++times) served_.take_answer(packet(1, 3), 2 * kLater);
  EXPECT_EQ(log_.take(), Heard{}) << "nor by one that is late";
  EXPECT_EQ(metrics_.doubted, 0U);
  EXPECT_EQ(metrics_.other_session, 7U);
}

TEST_F(MoldReceiver, TakesTheNextSessionThoughItHasTheNameOfTheOneThatEnded) {
  constexpr std::int64_t kLater = FeedHearing::kPastNs;
  for (Receiver* receiver : {&alone_, &served_}) {
    receiver->take(packet(1, 6), 0);
    receiver->take(end_of_session(6), 0);
    (void)log_.take();
    receiver->take(packet(2, 4), kMs);
    receiver->take(packet(4, 5), kMs);
    EXPECT_EQ(log_.take(), Heard{}) << "of a line that lags";
    receiver->tick(kLater);
    receiver->take(packet(1, 2), kLater);
    EXPECT_EQ(log_.take(), Heard{}) << "it may be anybody's";
    receiver->take(packet(2, 3), kLater);
    EXPECT_EQ(log_.take(), (Heard{"session SESSION001", "message 1", "message 2"}));
    EXPECT_FALSE(receiver->has_ended());
    receiver->take(packet(3, 4), kLater);
    receiver->take(end_of_session(4), kLater);
    EXPECT_EQ(log_.take(), (Heard{"message 3", "end"}));
  }
}

TEST_F(MoldReceiver, TakesTheNextSessionOfTheNameThoughItIsHeardFirstBehindTheEndOfTheOneBefore) {
  constexpr std::int64_t kLater = FeedHearing::kPastNs;
  for (Receiver* receiver : {&alone_, &served_}) {
    receiver->take(packet(1, 4), 0);
    receiver->take(end_of_session(4), 0);
    (void)log_.take();
    receiver->tick(kLater);
    receiver->take(packet(3, 4), kLater);  // where it is just as long as the one before was
    receiver->take(packet(4, 6), kLater);
    const bool has_server = receiver == &served_;
    EXPECT_EQ(log_.take(), has_server
                               ? Heard{"session SESSION001"}
                               : (Heard{"session SESSION001", "lost 1 to 3", "message 3", "message 4", "message 5"}));
    if (has_server) receiver->take(packet(1, 3), kLater);
    receiver->take(packet(6, 7), kLater);
    EXPECT_EQ(log_.take().back(), "message 6");
    EXPECT_FALSE(receiver->has_ended());
  }
}

TEST_F(MoldReceiver, StaysAtTheEndThatIsSaidAgain) {
  begin(served_);
  served_.take(end_of_session(2), 0);
  EXPECT_EQ(log_.take(), Heard{"end"});
  for (std::int64_t now_ns = FeedHearing::kPastNs; now_ns < 5 * FeedHearing::kPastNs; now_ns += FeedHearing::kPastNs) {
    served_.tick(now_ns);
    served_.take(end_of_session(2), now_ns);
    served_.take(heartbeat(2), now_ns);
    served_.take(packet(1, 2), now_ns);
  }
  EXPECT_EQ(log_.take(), Heard{});
  EXPECT_EQ(metrics_.doubted, 0U);
  EXPECT_TRUE(served_.has_ended());
}

TEST_F(MoldReceiver, StaysAtItsEndThoughOneHeartbeatIsAhead) {
  begin(alone_);
  alone_.take(end_of_session(2), 0);
  alone_.take(heartbeat(4), kMs);
  alone_.tick(kMs + Receiver::kPatienceNs);
  log_.take();
  for (std::int64_t now_ns = kMs; now_ns < 5 * FeedHearing::kPastNs; now_ns += FeedHearing::kPastNs / 2) {
    alone_.tick(kMs + Receiver::kPatienceNs + now_ns);
    alone_.take(end_of_session(2), kMs + Receiver::kPatienceNs + now_ns);
  }
  EXPECT_TRUE(alone_.has_ended());
  EXPECT_EQ(log_.take(), Heard{});
}

TEST_F(MoldReceiver, HasNotEndedWhereItsEndWasSaidBeforeAllOfItCameAndMoreComes) {
  begin(alone_);
  alone_.take(end_of_session(4), 0);
  alone_.take(heartbeat(5), 0);
  alone_.take(packet(2, 4), kMs);
  alone_.take(packet(4, 5), kMs);
  EXPECT_EQ(log_.take(), (Heard{"message 2", "message 3", "message 4"}));
  EXPECT_FALSE(alone_.has_ended());
}

TEST_F(MoldReceiver, GoesOnWithASessionWhoseEndWasSaidTooEarly) {
  constexpr std::int64_t kLater = FeedHearing::kPastNs;
  begin(alone_);
  alone_.take(packet(2, 4), 0);
  alone_.take(end_of_session(2), 0);
  EXPECT_EQ(log_.take(), (Heard{"message 2", "message 3"})) << "more of it is known";
  alone_.take(end_of_session(4), 0);
  EXPECT_EQ(log_.take(), Heard{"end"});
  alone_.take(packet(4, 5), kMs);
  EXPECT_EQ(log_.take(), Heard{"message 4"});
  EXPECT_FALSE(alone_.has_ended());
  alone_.tick(kMs + kLater);
  alone_.take(packet(5, 6), kMs + kLater);
  alone_.take(packet(6, 7), kMs + kLater);
  EXPECT_EQ(log_.take(), (Heard{"message 5", "message 6"})) << "it is no other session behind a silence either";
}

TEST_F(MoldReceiver, SaysThatAllItHearsIsPast) {
  begin(served_);
  served_.take(packet(2, 6), 0);
  std::int64_t now_ns = 0;
  for (; now_ns < FeedHearing::kSilenceNs; now_ns += 1'000 * kMs) {
    EXPECT_EQ(served_.hearing(now_ns), Hearing::current);
    served_.take(now_ns == 0 ? packet(1, 2) : heartbeat(2), now_ns);
  }
  EXPECT_EQ(served_.hearing(now_ns), Hearing::past);
  EXPECT_EQ(log_.take().size(), 4U) << "a session that has not ended goes on";
  served_.take(heartbeat(6), now_ns);
  EXPECT_EQ(served_.hearing(now_ns), Hearing::current);
}

TEST_F(MoldReceiver, IsNotLedAstrayByAPacketThatNoOtherAgreesWith) {
  constexpr std::uint64_t kFar = std::uint64_t{1} << 61;
  begin(alone_);
  alone_.take(packet(2, 3), 0);
  alone_.take(heartbeat(kFar), 0);
  alone_.take(packet(3, 4), 0);
  alone_.take(heartbeat(kFar - HeldMessages::kWindow - 1), 0);
  alone_.take(heartbeat(kFar), Receiver::kDoubtNs + 1);
  alone_.tick(2 * Receiver::kDoubtNs);
  EXPECT_EQ(log_.take(), (Heard{"message 2", "message 3"}));
  EXPECT_EQ(metrics_.doubted, 3U);
  EXPECT_FALSE(alone_.is_behind());
}

TEST_F(MoldReceiver, GoesOnFarAheadWhereTwoPacketsAgree) {
  begin(alone_);
  alone_.take(packet(100'000, 100'001), 0, {7, 0});
  alone_.take(packet(100'001, 100'002), 0, {8, 0});
  EXPECT_EQ(log_.take(), (Heard{"lost 2 to 100000", "message 100000", "message 100001"}));
  EXPECT_EQ(log_.arrivals[1].first, 7);
}

TEST_F(MoldReceiver, GoesOnFromTheLowerOfTwoPacketsThatAgree) {
  begin(alone_);
  alone_.take(packet(100'003, 100'004), 0, {7, 0});
  alone_.take(packet(100'000, 100'001), 0, {8, 0});
  EXPECT_EQ(log_.take(), (Heard{"lost 2 to 100000", "message 100000"}));
  alone_.take(packet(100'001, 100'003), kMs, {9, 0});
  EXPECT_EQ(log_.take(), (Heard{"message 100001", "message 100002", "message 100003"}));
  EXPECT_EQ(log_.arrivals.back().first, 7);
  constexpr std::int64_t kLater = kMs + FeedHearing::kPastNs;
  alone_.tick(kLater);
  alone_.take(packet(8, 9, kNextSession), kLater);
  alone_.take(packet(5, 6, kNextSession), kLater);
  alone_.take(packet(6, 8, kNextSession), kLater);
  EXPECT_EQ(log_.take(),
            (Heard{"session SESSION002", "lost 1 to 5", "message 5", "message 6", "message 7", "message 8"}));
}

TEST_F(MoldReceiver, RefusesPacketsThatAreNone) {
  begin(alone_);
  const Bytes whole = packet(2, 4);
  for (std::size_t size = 0; size < whole.size(); ++size) alone_.take({whole.data(), size}, 0);
  EXPECT_EQ(metrics_.malformed, whole.size());
  alone_.take(heartbeat(0), 0);
  alone_.take(heartbeat(kSequenceLimit), 0);
  EXPECT_EQ(metrics_.malformed, whole.size() + 2);
  EXPECT_EQ(log_.take(), Heard{});
  EXPECT_FALSE(alone_.is_behind());
}

TEST_F(MoldReceiver, KeepsOfTooLongAMessageThatItIsTooLong) {
  begin(alone_);
  alone_.take(packet(kSession, 3, 1, {std::string(500, 'A')}), 0);
  alone_.take(packet(kSession, 2, 1, {""}), 0);
  EXPECT_EQ(log_.take(), (Heard{"", std::string(itch::kMaxBytes + 1, 'A')}));
}

/// A feed of some messages in packets, and what its two lines make of it: losses, doubles, and packets that overtake.
class BadLines {
 public:
  BadLines(std::uint64_t messages, std::uint64_t seed) : random_(seed), messages_(messages) {
    for (std::uint64_t first = 1; first <= messages;) {
      const std::uint64_t end = std::min(messages + 1, first + 1 + below(20));
      packets_.push_back(packet(first, end));
      first = end;
    }
    packets_.push_back(end_of_session(messages + 1));
  }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  /// Both lines' packets in the order that they come, the last one certainly.
  std::vector<Bytes> arrivals() {
    std::vector<std::pair<std::uint64_t, Bytes>> timed;
    for (std::uint64_t i = 0; i < packets_.size(); ++i) {
      for (int line = 0; line < 2; ++line) {
        const bool is_last = i + 1 == packets_.size();
        if (!is_last && below(4) == 0) continue;
        for (std::uint64_t copies = 1 + (below(10) == 0 ? 1U : 0U); copies > 0; --copies) {
          timed.emplace_back(is_last ? ~std::uint64_t{0} : i * 10 + below(40), packets_[i]);
        }
      }
    }
    std::ranges::stable_sort(timed, {}, &std::pair<std::uint64_t, Bytes>::first);
    std::vector<Bytes> arrivals;
    for (auto& [time, bytes] : timed) arrivals.push_back(std::move(bytes));
    return arrivals;
  }

  /// What the server answers, if it answers at all.
  std::optional<Bytes> answer(const Header& request) {
    if (below(5) == 0) return std::nullopt;
    const std::uint64_t end = request.sequence + std::min<std::uint64_t>(request.count, 1 + below(30));
    return packet(request.sequence, std::min(end, messages_ + 1));
  }

 private:
  std::mt19937_64 random_;
  std::uint64_t messages_;
  std::vector<Bytes> packets_;
};

TEST(MoldReceiverOnBadLines, DeliversEveryMessageOnceAndInOrder) {
  constexpr std::uint64_t kMessages = 20'000;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    BadLines lines(kMessages, seed);
    Log log;
    ReceiverMetrics metrics;
    Receiver receiver(log, metrics, true, 2);
    std::int64_t now_ns = 0;
    const auto serve = [&] {
      receiver.tick(now_ns);
      for (; !log.requests.empty(); log.requests.pop_front()) {
        if (const auto answer = lines.answer(log.requests.front())) {
          receiver.take_answer(*answer, now_ns);
        }
      }
    };
    for (const Bytes& arrival : lines.arrivals()) {
      receiver.take(arrival, now_ns += kMs / 10);
      serve();
    }
    for (int i = 0; i < 10'000 && !receiver.has_ended(); ++i, now_ns += kMs) serve();
    std::vector<std::string> expected{"session SESSION001"};
    for (std::uint64_t number = 1; number <= kMessages; ++number) expected.push_back(message(number));
    expected.emplace_back("end");
    EXPECT_EQ(log.heard, expected) << "seed " << seed;
    EXPECT_GT(metrics.requests, 0U);
    EXPECT_EQ(metrics.lost_messages, 0U);
  }
}

TEST(MoldReceiverOnBadLines, SaysWhatItLostWhereNobodyCanBeAsked) {
  constexpr std::uint64_t kMessages = 20'000;
  BadLines lines(kMessages, 9);
  Log log;
  ReceiverMetrics metrics;
  Receiver receiver(log, metrics, false, 2);
  std::int64_t now_ns = 0;
  for (const Bytes& arrival : lines.arrivals()) {
    receiver.take(arrival, now_ns += kMs / 10);
    receiver.tick(now_ns);
  }
  for (int i = 0; i < 10'000 && !receiver.has_ended(); ++i) receiver.tick(now_ns += kMs);
  std::uint64_t next = 1;
  for (const std::string& line : log.heard) {
    unsigned long long first = 0, end = 0;
    if (std::sscanf(line.c_str(), "lost %llu to %llu", &first, &end) == 2) {
      EXPECT_EQ(first, next);
      next = end;
    } else if (line.starts_with("message")) {
      EXPECT_EQ(line, message(next++));
    }
  }
  EXPECT_EQ(next, kMessages + 1);
  EXPECT_GT(metrics.lost_messages, 0U);
  EXPECT_EQ(metrics.messages + metrics.lost_messages, kMessages);
}

}  // namespace
}  // namespace livetape::bridge::mold
