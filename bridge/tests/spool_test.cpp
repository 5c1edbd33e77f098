#include "publish/spool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "folder_test.hpp"
#include "full_disk.hpp"
#include "unopenable_file.hpp"

namespace livetape::bridge {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxBytes = 64 << 10;
constexpr std::size_t kValueBytes = 100;

SessionId session_of(unsigned char byte) {
  SessionId session;
  session.fill(byte);
  return session;
}

const SessionId kOne = session_of(1);
const SessionId kTwo = session_of(2);

std::vector<std::uint8_t> value_of(std::uint64_t sequence) {
  return std::vector<std::uint8_t>(kValueBytes, static_cast<std::uint8_t>(sequence * 31));
}

/// A folder that a run's spool is in, and the next run's.
class SpoolTest : public FolderTest {
 protected:
  void SetUp() override { metrics_.venue = "test"; }

  Spool& open(const SessionId& session, std::uint64_t max_bytes = kMaxBytes) {
    spool_.reset();
    return spool_.emplace(folder_, session, max_bytes, metrics_);
  }

  /// Keeps a message a batch.
  bool keep(std::uint64_t first, std::uint64_t last) {
    bool is_kept = true;
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) {
      spool_->append(sequence, "test:A-B", value_of(sequence));
      is_kept = spool_->flush() && is_kept;
      spool_->clear();
    }
    return is_kept;
  }

  /// What a reader has from where it is.
  static std::vector<std::pair<SessionId, std::uint64_t>> rest_of(SpoolReader& reader) {
    std::vector<std::pair<SessionId, std::uint64_t>> all;
    for (auto messages = reader.read(); !messages.empty(); messages = reader.read()) {
      for (const SpooledMessage& message : messages) {
        EXPECT_EQ(message.key, "test:A-B");
        EXPECT_TRUE(std::ranges::equal(message.value, value_of(message.sequence)));
        all.emplace_back(reader.session(), message.sequence);
      }
    }
    return all;
  }

  std::vector<std::pair<SessionId, std::uint64_t>> all() {
    SpoolReader reader(*spool_);
    return rest_of(reader);
  }

  [[nodiscard]] std::vector<fs::path> files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() == ".spool") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
  }

  static std::vector<std::pair<SessionId, std::uint64_t>> numbers(const SessionId& session, std::uint64_t first,
                                                                  std::uint64_t last) {
    std::vector<std::pair<SessionId, std::uint64_t>> numbers;
    for (; first <= last; ++first) numbers.emplace_back(session, first);
    return numbers;
  }

  VenueMetrics metrics_;
  std::optional<Spool> spool_;
};

TEST_F(SpoolTest, HandsOutWhatItWasGivenInOrderOverManyFiles) {
  open(kOne);
  SpoolReader reader(*spool_);
  EXPECT_TRUE(reader.is_at_end());
  ASSERT_TRUE(keep(1, 300));
  EXPECT_GT(files().size(), 2U);
  EXPECT_FALSE(reader.is_at_end());
  EXPECT_EQ(rest_of(reader), numbers(kOne, 1, 300));
  EXPECT_TRUE(reader.is_at_end());
  ASSERT_TRUE(keep(301, 302));
  EXPECT_EQ(rest_of(reader), numbers(kOne, 301, 302));
}

TEST_F(SpoolTest, FindsAMessageByItsNumber) {
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(10, 2'000));
  SpoolReader reader(*spool_);
  for (const std::uint64_t wanted : {10U, 11U, 777U, 2'000U}) {
    ASSERT_TRUE(reader.seek(kOne, wanted));
    EXPECT_EQ(reader.read().front().sequence, wanted);
  }
  ASSERT_TRUE(reader.seek(kOne, 9));
  EXPECT_EQ(reader.read().front().sequence, 10U) << "the next that is there";
  EXPECT_FALSE(reader.seek(kOne, 2'001));
  EXPECT_FALSE(reader.seek(kTwo, 10));
  reader.seek_end();
  EXPECT_TRUE(reader.read().empty());
}

TEST_F(SpoolTest, OutlivesTheRunThatWroteIt) {
  open(kOne);
  ASSERT_TRUE(keep(1, 100));
  spool_->confirm(kOne, 30);
  open(kTwo);
  EXPECT_EQ(metrics_.spool_replayed, 70U);
  ASSERT_TRUE(keep(1, 3));
  auto expected = numbers(kOne, 31, 100);
  for (const auto& each : numbers(kTwo, 1, 3)) expected.push_back(each);
  EXPECT_EQ(all(), expected);
  const auto sessions = spool_->sessions();
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_EQ(std::tie(sessions[0].session, sessions[0].first, sessions[0].last), std::make_tuple(kOne, 31U, 100U));
  EXPECT_EQ(std::tie(sessions[1].session, sessions[1].first, sessions[1].last), std::make_tuple(kTwo, 1U, 3U));
}

TEST_F(SpoolTest, DeletesWhatIsConfirmed) {
  open(kOne);
  ASSERT_TRUE(keep(1, 300));
  const std::uint64_t bytes = metrics_.spool_bytes;
  spool_->confirm(kOne, 290);
  EXPECT_LT(metrics_.spool_bytes, bytes / 2);
  EXPECT_EQ(files().size(), 1U);
  EXPECT_EQ(all(), numbers(kOne, 291, 300));
  spool_->confirm(kOne, 300);
  EXPECT_TRUE(all().empty());
  spool_.reset();
  EXPECT_TRUE(files().empty());
}

TEST_F(SpoolTest, RefusesWhatIsBeyondItsBoundAndTakesMoreOnceThereIsRoom) {
  open(kOne);
  EXPECT_FALSE(keep(1, 1'000));
  EXPECT_LE(metrics_.spool_bytes, kMaxBytes);
  const auto kept = all();
  EXPECT_GT(kept.size(), 400U);
  EXPECT_EQ(kept, numbers(kOne, 1, kept.size()));
  spool_->confirm(kOne, kept.size());
  EXPECT_TRUE(keep(1'001, 1'010));
  EXPECT_EQ(all(), numbers(kOne, 1'001, 1'010));
}

TEST_F(SpoolTest, LeavesNothingOfABatchThatTheDiskTookInPart) {
  open(kOne);
  ASSERT_TRUE(keep(1, 1));
  const auto one = fs::file_size(files().front());
  ASSERT_TRUE(keep(2, 2));
  const auto two = fs::file_size(files().front());
  {
    const FullDisk full(two + 5 * (two - one) / 2);
    for (const std::uint64_t sequence : {3U, 4U, 5U}) spool_->append(sequence, "test:A-B", value_of(sequence));
    EXPECT_FALSE(spool_->flush());
    spool_->clear();
  }
  EXPECT_EQ(fs::file_size(files().front()), two);
  ASSERT_TRUE(keep(6, 6));
  open(kTwo);
  const std::vector<std::pair<SessionId, std::uint64_t>> kept{{kOne, 1}, {kOne, 2}, {kOne, 6}};
  EXPECT_EQ(all(), kept);
  EXPECT_EQ(metrics_.spool_torn, 0U);
}

TEST_F(SpoolTest, PassesOverATornEnd) {
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, 50));
  spool_.reset();
  const fs::path file = files().at(0);
  for (std::uint64_t torn = 1; torn < kValueBytes; ++torn) {
    fs::resize_file(file, fs::file_size(file) - 1);
    metrics_.spool_torn = 0;
    open(kTwo, 64 << 20);
    EXPECT_EQ(metrics_.spool_torn, 1U);
    ASSERT_EQ(all(), numbers(kOne, 1, 49));
    spool_.reset();
  }
}

TEST_F(SpoolTest, NeverHandsOutAMessageOfWhichABitHasChanged) {
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, 3));
  spool_.reset();
  const fs::path file = files().at(0);
  const auto size = static_cast<std::streamoff>(fs::file_size(file));
  for (std::streamoff at = 0; at < size; ++at) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(at);
    const auto good = static_cast<char>(bytes.get());
    const auto put = [&](char byte) {
      bytes.seekp(at);
      bytes.put(byte);
      bytes.flush();
    };
    put(static_cast<char>(good ^ 0x10));
    fs::copy_file(file, folder_ / "kept");
    open(kTwo, 64 << 20);
    const auto left = all();
    ASSERT_LT(left.size(), 3U) << at;
    ASSERT_EQ(left, numbers(kOne, 1, left.size()));
    spool_.reset();
    if (!fs::exists(file)) fs::copy_file(folder_ / "kept", file);
    fs::remove(folder_ / "kept");
    bytes.close();
    bytes.open(file, std::ios::in | std::ios::out | std::ios::binary);
    put(good);
  }
}

TEST_F(SpoolTest, KeepsTheReadersPlaceWhereAFileCannotBeOpenedForAWhile) {
  open(kOne);
  ASSERT_TRUE(keep(1, 300));
  SpoolReader reader(*spool_);
  {
    const UnopenableFile file(files().at(0));
    EXPECT_TRUE(reader.read().empty());
    EXPECT_TRUE(reader.has_failed());
    EXPECT_FALSE(reader.is_at_end());
  }
  EXPECT_EQ(rest_of(reader), numbers(kOne, 1, 300));
  EXPECT_FALSE(reader.has_failed());
  {
    const UnopenableFile file(files().at(0));
    EXPECT_TRUE(reader.seek(kOne, 7));
    EXPECT_TRUE(reader.read().empty());
    EXPECT_TRUE(reader.has_failed());
  }
  EXPECT_EQ(rest_of(reader), numbers(kOne, 7, 300));
  EXPECT_EQ(reader.lost(), 0U);
  EXPECT_EQ(metrics_.spool_torn, 0U);
}

TEST_F(SpoolTest, GoesOnBehindDamageAndCountsWhatItLeavesOut) {
  constexpr std::uint64_t kMessages = 3'000;
  constexpr std::streamoff kDamaged = 100'000;
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, kMessages));
  {
    std::fstream bytes(files().at(0), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(kDamaged);
    const auto good = static_cast<char>(bytes.get());
    bytes.seekp(kDamaged);
    bytes.put(static_cast<char>(good ^ 0x10));
  }
  SpoolReader reader(*spool_);
  const auto left = rest_of(reader);
  EXPECT_GT(left.size(), kMessages / 2);
  EXPECT_EQ(left.back().second, kMessages);
  EXPECT_TRUE(std::ranges::is_sorted(left));
  EXPECT_EQ(left.size() + reader.lost(), kMessages);
  EXPECT_EQ(metrics_.spool_torn, 1U);
}

TEST_F(SpoolTest, DeletesNoFileThatItCannotReadAndNamesIt) {
  const fs::path file = folder_ / "000000000007.spool";
  fs::create_directories(file);
  try {
    open(kOne);
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find(file.string()), std::string::npos);
  }
  EXPECT_TRUE(fs::exists(file));
}

TEST_F(SpoolTest, IsOneProcessesAlone) {
  open(kOne);
  EXPECT_THROW(Spool(folder_, kTwo, kMaxBytes, metrics_), std::runtime_error);
}

TEST_F(SpoolTest, NamesAFolderThatCannotBeUsed) {
  std::ofstream(folder_) << "a file";
  try {
    open(kOne);
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find(folder_.string()), std::string::npos);
  }
}

}  // namespace
}  // namespace livetape::bridge
