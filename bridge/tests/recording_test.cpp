#include "record/recording.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "folder_test.hpp"
#include "full_disk.hpp"

namespace livetape::bridge {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kStartNs = 1'773'066'600 * kSecondNs;  // 2026-03-09T14:30:00Z

std::vector<std::uint8_t> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

/// What a file has, whether it has its end or not.
std::string unpacked(const fs::path& path) {
  const ::gzFile file = ::gzopen(path.c_str(), "rb");
  std::string text(std::size_t{4} << 20, '\0');
  const int count = ::gzread(file, text.data(), static_cast<unsigned>(text.size()));
  (void)::gzclose(file);
  text.resize(static_cast<std::size_t>(std::max(0, count)));
  return text;
}

class RecordingTest : public FolderTest {
 protected:
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder_)) all.push_back(entry.path().filename().string());
    std::ranges::sort(all);
    return all;
  }
  using Names = std::vector<std::string>;
};

TEST_F(RecordingTest, WritesNothingBehindWhatAFullDiskTookInPart) {
  std::string noise(std::size_t{1} << 18, '\0');  // of more than one write
  std::uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1'664'525 + 1'013'904'223) >> 24);
  Recording recording(folder_, ".frames.gz", bytes_of("header "), {std::chrono::seconds(60), 1 << 30});
  {
    const FullDisk full(100'000);
    EXPECT_THROW(recording.add(kStartNs, bytes_of(noise)), std::runtime_error);
  }
  EXPECT_THROW(recording.finish(), std::runtime_error);  // though there is room again
  const std::string kept = unpacked(folder_ / names()[0]);
  EXPECT_GT(kept.size(), 90'000U);
  EXPECT_TRUE(("header " + noise).starts_with(kept));
}

TEST_F(RecordingTest, BeginsAFileByTheTimeOfItsFirstRecordAndTheNextWhenItIsOldEnough) {
  Recording recording(folder_, ".frames.gz", bytes_of("header "), {std::chrono::seconds(60), 1 << 20});
  EXPECT_EQ(names(), Names{});
  recording.add(kStartNs, bytes_of("one "));
  recording.add(kStartNs + kSecondNs, bytes_of("two"));
  recording.tick(kStartNs + 59 * kSecondNs);
  recording.tick(kStartNs + 60 * kSecondNs);
  recording.add(kStartNs + 61 * kSecondNs, bytes_of("three"));
  recording.finish();
  EXPECT_EQ(names(), (Names{"20260309T143000.frames.gz", "20260309T143101.frames.gz"}));
  EXPECT_EQ(unpacked(folder_ / names()[0]), "header one two");
  EXPECT_EQ(unpacked(folder_ / names()[1]), "header three");
}

TEST_F(RecordingTest, BeginsTheNextFileWhenOneIsLargeEnough) {
  Recording recording(folder_, ".gz", {}, {std::chrono::hours(1), 1});
  for (const std::string_view text : {"one", "two"}) {
    recording.add(kStartNs, bytes_of(text));
    recording.tick(kStartNs);
  }
  recording.finish();
  EXPECT_EQ(names(), (Names{"20260309T143000.gz", "20260309T143000_2.gz"}));
  EXPECT_EQ(unpacked(folder_ / "20260309T143000_2.gz"), "two");
}

TEST_F(RecordingTest, CanBeReadUpToTheLastTickThoughItHasNoEnd) {
  Recording recording(folder_, ".gz", {}, {});
  std::string whole;
  for (int i = 0; i < 100'000; ++i) {
    const std::string line = std::to_string(i * 7'919) + "\n";
    recording.add(kStartNs, bytes_of(line));
    whole += line;
  }
  recording.tick(kStartNs + kSecondNs);
  recording.add(kStartNs, bytes_of("not flushed"));
  EXPECT_EQ(unpacked(folder_ / names()[0]), whole);
}

TEST_F(RecordingTest, SaysWhereNothingCanBeWritten) {
  try {
    const Recording recording("/proc/nowhere", ".gz", {}, {});
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_TRUE(std::string_view(error.what()).starts_with("nothing can be recorded in /proc/nowhere: "));
  }
}

}  // namespace
}  // namespace livetape::bridge
