#include "publish/retry_server.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "folder_test.hpp"
#include "unopenable_file.hpp"

namespace livetape::bridge {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRingBytes = 16 << 10;  // of `kMessages` it has forgotten the first
constexpr std::uint64_t kMessages = 200;
constexpr std::uint64_t kSpoolBytes = 1 << 20;

SessionId session_of(unsigned char byte) {
  SessionId session;
  session.fill(byte);
  return session;
}

const SessionId kBefore = session_of(6);
const SessionId kNow = session_of(7);

std::vector<std::uint8_t> value_of(std::uint64_t sequence) {
  return std::vector<std::uint8_t>(100, static_cast<std::uint8_t>(sequence));
}

/// A venue with a relay, whose ring has forgotten messages that the spool may have.
class RetryServerTest : public FolderTest {
 protected:
  RetryServerTest() {
    for (std::uint64_t sequence = 1; sequence <= kMessages; ++sequence) {
      ring_.put(sequence, "test:A-B", value_of(sequence));
    }
    open(kNow);
  }

  void open(const SessionId& session) {
    spool_.reset();
    spool_.emplace(folder_, session, kSpoolBytes, venue_metrics_);
  }

  void spool(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) {
      spool_->append(sequence, "test:A-B", value_of(sequence));
    }
    ASSERT_TRUE(spool_->flush());
    spool_->clear();
  }

  /// The last number that an answer covers, and the numbers of its messages.
  using Answer = std::pair<std::uint64_t, std::vector<std::uint64_t>>;
  Answer ask(std::uint64_t first, std::uint64_t last = kMessages, const SessionId& session = kNow) {
    RetryServer server("inproc://retry-test", {{"test", kNow, &ring_, &*spool_}}, metrics_);
    return ask(server, first, last, session);
  }

  static Answer ask(RetryServer& server, std::uint64_t first, std::uint64_t last, const SessionId& session) {
    RetryServer::Frames request;
    request.emplace_back(std::string_view("client"));
    request.emplace_back(std::string_view("get"));
    request.push_back(write_range({session, first, last}));
    const RetryServer::Frames answer = server.answer(request);
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 3; i + 2 < answer.size(); i += 3) {
      numbers.push_back(read_big_endian<8>(answer[i + 1].data<std::uint8_t>() + sizeof(SessionId)));
    }
    return {read_range(answer.at(2).to_string_view()).last, numbers};
  }

  Metrics metrics_;
  VenueMetrics venue_metrics_;
  RetryRing ring_{kRingBytes};
  std::optional<Spool> spool_;
};

TEST_F(RetryServerTest, GivesFromDiskWhatHasLeftMemory) {
  spool(1, ring_.first());
  const auto [through, numbers] = ask(1);
  ASSERT_EQ(numbers.size(), ring_.first());
  EXPECT_EQ(numbers.front(), 1U);
  EXPECT_EQ(through, ring_.first());
}

TEST_F(RetryServerTest, TakesNothingForLostThatIsStillToComeToTheDisk) {
  ASSERT_GT(ring_.first(), 10U);
  spool(1, 4);
  const auto [through, numbers] = ask(5);
  EXPECT_EQ(through, 4U) << "it is to be asked for again";
  EXPECT_TRUE(numbers.empty());
}

TEST_F(RetryServerTest, SaysThatOnlyThoseAreLostThatTheDiskDidNotTake) {
  ASSERT_GT(ring_.first(), 10U);
  spool(8, 9);
  EXPECT_EQ(ask(5, 7), Answer(7, {}));
  EXPECT_EQ(ask(5), Answer(9, {8, 9}));
  EXPECT_EQ(ask(10), Answer(9, {})) << "it may still come";
}

TEST_F(RetryServerTest, SaysTheSameOfAHoleInsideAFile) {
  ASSERT_GT(ring_.first(), 10U);
  spool(1, 4);
  spool(8, 9);
  EXPECT_EQ(ask(5, 7), Answer(7, {})) << "whoever asks has 8 already";
  EXPECT_EQ(ask(5, 6), Answer(6, {}));
  EXPECT_EQ(ask(3), Answer(9, {3, 4, 8, 9}));
}

TEST_F(RetryServerTest, SaysThatWhatCannotBeReadOnDiskIsLost) {
  ASSERT_GT(ring_.first(), 10U);
  spool(1, 9);
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() == ".spool") fs::resize_file(entry.path(), fs::file_size(entry.path()) - 1);
  }
  EXPECT_EQ(ask(7), Answer(8, {7, 8}));
  EXPECT_EQ(ask(9), Answer(9, {}));
}

TEST_F(RetryServerTest, TakesNothingForLostThatTheDiskDoesNotGiveForAWhile) {
  ASSERT_GT(ring_.first(), 10U);
  spool(1, 9);
  RetryServer server("inproc://retry-test", {{"test", kNow, &ring_, &*spool_}}, metrics_);
  {
    const UnopenableFile file(folder_ / "000000000001.spool");
    EXPECT_EQ(ask(server, 7, kMessages, kNow), Answer(6, {})) << "it is to be asked for again";
  }
  EXPECT_EQ(ask(server, 7, kMessages, kNow), Answer(9, {7, 8, 9}));
}

TEST_F(RetryServerTest, GivesOfASessionThatIsOverWhatIsBehindAHole) {
  open(kBefore);
  spool(1, 4);
  open(kBefore);
  spool(8, 9);
  open(kNow);
  EXPECT_EQ(ask(5, 9, kBefore), Answer(9, {8, 9}));
  EXPECT_EQ(ask(10, 20, kBefore), Answer(20, {}));
}

TEST_F(RetryServerTest, TakesNoIpcAddressFromAnotherServer) {
  const std::string address = "ipc://" + (folder_ / "retry").string();
  std::optional<RetryServer> first(std::in_place, address, std::vector<RetrySource>{}, metrics_);
  EXPECT_THROW(RetryServer(address, {}, metrics_), std::runtime_error);
  EXPECT_TRUE(fs::is_socket(folder_ / "retry"));
  first.reset();
  EXPECT_NO_THROW(RetryServer(address, {}, metrics_));
}

TEST_F(RetryServerTest, BindsAnAddressOfIpV6) {
  if (std::ifstream("/proc/net/if_inet6").peek() == std::ifstream::traits_type::eof()) GTEST_SKIP() << "no IPv6 here";
  EXPECT_NO_THROW(RetryServer("tcp://[::1]:*", {}, metrics_));
}

}  // namespace
}  // namespace livetape::bridge
