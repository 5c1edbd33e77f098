#include "publish/spool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
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
constexpr std::size_t kFileHeader = 32;
constexpr std::size_t kRecordHeader = 24;
constexpr std::size_t kRecord = kRecordHeader + std::string_view("test:A-B").size() + kValueBytes;

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

  static std::vector<std::pair<SessionId, std::uint64_t>> without(const std::vector<std::uint64_t>& lost,
                                                                  std::uint64_t last) {
    auto left = numbers(kOne, 1, last);
    std::erase_if(left, [&](const auto& each) { return std::ranges::find(lost, each.second) != lost.end(); });
    return left;
  }

  /// Changes a bit of a file.
  static void flip(const fs::path& file, std::uint64_t at) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(static_cast<std::streamoff>(at));
    const auto good = static_cast<char>(bytes.get());
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes.put(static_cast<char>(good ^ 0x10));
  }

  /// Changes a bit of the checksum of a message, in a file that has them all from the first on.
  static void damage(const fs::path& file, std::uint64_t number) { flip(file, kFileHeader + (number - 1) * kRecord); }

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

TEST_F(SpoolTest, LosesNoMoreThanTheMessageOfWhichABitHasChanged) {
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, 3));
  spool_.reset();
  const fs::path file = files().at(0);
  fs::copy_file(file, folder_ / "kept");
  for (std::uint64_t at = 0; at < fs::file_size(folder_ / "kept"); ++at) {
    fs::copy_file(folder_ / "kept", file, fs::copy_options::overwrite_existing);
    flip(file, at);
    metrics_.spool_lost = metrics_.spool_torn = 0;
    open(kTwo, 64 << 20);
    std::vector<std::uint64_t> left;
    for (const auto& [session, number] : all()) left.push_back(number);
    std::vector<std::uint64_t> expected{1, 2, 3};
    if (at >= kFileHeader) expected.erase(expected.begin() + static_cast<std::ptrdiff_t>((at - kFileHeader) / kRecord));
    ASSERT_EQ(left, expected) << at;
    ASSERT_EQ(metrics_.spool_lost + metrics_.spool_torn > 0, at >= kFileHeader) << at;
    spool_.reset();
  }
}

TEST_F(SpoolTest, GoesOnBehindEachDamagedPlaceAndTellsWhatItLost) {
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, 200));
  SpoolReader reader(*spool_);
  const fs::path file = files().at(0);
  damage(file, 50);
  damage(file, 120);
  damage(file, 200);
  const auto expected = without({50, 120, 200}, 200);
  EXPECT_EQ(rest_of(reader), expected) << "within the run";
  EXPECT_EQ(metrics_.spool_lost, 3U);
  open(kTwo, 64 << 20);
  EXPECT_EQ(all(), expected) << "in the next one";
  EXPECT_EQ(metrics_.spool_lost, 5U + kRecord / kRecordHeader) << "the last: as many as have room, at most";
}

TEST_F(SpoolTest, TakesANumberThatNoLongHoldsForDamage) {
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, 3));
  spool_->append(std::numeric_limits<std::uint64_t>::max(), "test:A-B", value_of(4));
  ASSERT_TRUE(spool_->flush());
  spool_.reset();
  open(kTwo, 64 << 20);
  EXPECT_EQ(all(), numbers(kOne, 1, 3));
  EXPECT_EQ(metrics_.spool_torn, 1U);
}

TEST_F(SpoolTest, TellsOfLostMessagesInTheirPlace) {
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, 100));
  spool_.reset();
  damage(files().at(0), 40);
  std::vector<LostMessages> told;
  const LossTeller teller{.trade_time_ns = [](std::span<const std::uint8_t> value) -> std::optional<std::int64_t> {
                            if (value.front() == value_of(39).front()) return std::nullopt;  // no trade
                            return value.front();
                          },
                          .tell =
                              [&told](const LostMessages& lost) {
                                told.push_back(lost);
                                return LossRecord{"test:*", {7}};
                              }};
  spool_.emplace(folder_, kTwo, 64 << 20, metrics_, teller);
  SpoolReader reader(*spool_);
  std::vector<std::pair<std::uint64_t, std::string>> read;
  for (auto messages = reader.read(); !messages.empty(); messages = reader.read()) {
    for (const SpooledMessage& message : messages) read.emplace_back(message.sequence, message.key);
  }
  ASSERT_EQ(read.size(), 100U);
  for (std::uint64_t number = 1; number <= 100; ++number) {
    EXPECT_EQ(read[number - 1], std::pair(number, std::string(number == 40 ? "test:*" : "test:A-B")));
  }
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(std::tie(told[0].session, told[0].first, told[0].last), std::make_tuple(kOne, 40U, 40U));
  EXPECT_EQ(told[0].from_time_ns, value_of(38).front());
  EXPECT_EQ(told[0].to_time_ns, value_of(41).front());
  spool_->confirm(kOne, 40);
  SpoolReader again(*spool_);
  EXPECT_EQ(again.read().front().sequence, 41U);
  EXPECT_EQ(told.size(), 1U) << "Kafka has it";
}

TEST_F(SpoolTest, LosesNothingWithTheHeaderOfAFile) {
  open(kOne);
  ASSERT_TRUE(keep(1, 300));
  spool_.reset();
  const auto kept = files();
  ASSERT_GT(kept.size(), 2U);
  flip(kept[1], 12);
  open(kTwo);
  EXPECT_EQ(all(), numbers(kOne, 1, 300)) << "the file before tells whose they are";
  spool_.reset();
  flip(kept[0], 12);
  open(kTwo);
  SpoolReader reader(*spool_);
  const auto found = rest_of(reader);
  ASSERT_EQ(found.size(), 300U);
  EXPECT_TRUE(found.front().first != kOne && found.front().first != kTwo);
  spool_->confirm(found.front().first, 300);
  spool_->confirm(kOne, 300);
  EXPECT_TRUE(files().empty());
  EXPECT_EQ(metrics_.spool_lost, 0U);
}

TEST_F(SpoolTest, TakesNoRecordThatAMessageHasInItForOneOfItsOwn) {
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, 30));
  std::vector<std::uint8_t> bytes(fs::file_size(files().at(0)));
  std::ifstream(files().at(0), std::ios::binary)
      .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  spool_.reset();
  for (const auto& file : files()) fs::remove(file);
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, 9));
  const auto hostile = std::span(bytes).subspan(kFileHeader + 10 * kRecord, 9 * kRecord);  // the records 11 to 19
  spool_->append(10, "test:A-B", hostile);
  ASSERT_TRUE(spool_->flush());
  spool_->clear();
  ASSERT_TRUE(keep(11, 60));
  spool_.reset();
  damage(files().at(0), 10);
  open(kTwo, 64 << 20);
  EXPECT_EQ(all(), without({10}, 60));
  EXPECT_EQ(metrics_.spool_lost, 1U);
}

TEST_F(SpoolTest, CountsWhatAFileNoLongerHas) {
  open(kOne, 64 << 20);
  ASSERT_TRUE(keep(1, 100));
  SpoolReader reader(*spool_);
  fs::resize_file(files().at(0), kFileHeader + 60 * kRecord + kRecord / 2);
  EXPECT_EQ(rest_of(reader), numbers(kOne, 1, 60));
  EXPECT_EQ(metrics_.spool_lost, 40U);
  EXPECT_TRUE(reader.is_at_end());
  ASSERT_TRUE(keep(101, 102));
  EXPECT_EQ(rest_of(reader), numbers(kOne, 101, 102));
}

TEST_F(SpoolTest, KeepsAFileThatHasNothingGoodUntilItIsTold) {
  open(kOne);
  ASSERT_TRUE(keep(1, 20));
  spool_.reset();
  for (std::uint64_t number = 1; number <= 20; ++number) damage(files().at(0), number);
  const LossTeller teller{.trade_time_ns = [](std::span<const std::uint8_t>) { return std::nullopt; },
                          .tell =
                              [](const LostMessages&) {
                                return LossRecord{"test:*", {7}};
                              }};
  spool_.emplace(folder_, kTwo, kMaxBytes, metrics_, teller);
  SpoolReader reader(*spool_);
  const auto told = reader.read();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told.front().key, "test:*");
  EXPECT_GE(metrics_.spool_lost, 20U);
  spool_->confirm(kOne, told.front().sequence);
  EXPECT_TRUE(files().empty());
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
  EXPECT_EQ(metrics_.spool_torn, 0U);
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
