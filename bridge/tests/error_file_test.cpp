#include "core/error_file.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "folder_test.hpp"

namespace livetape::bridge {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

class ErrorFileTest : public FolderTest {
 protected:
  /// What the log gets of frames with these reasons, one a second.
  template <typename... Reasons>
  std::string told(ErrorFile& errors, Reasons... reasons) {
    ::testing::internal::CaptureStderr();
    (errors.keep(now_ns_ += kSecondNs, reasons, "frame"), ...);
    return ::testing::internal::GetCapturedStderr();
  }

  const std::string path_ = (folder_ / "kraken.jsonl").string();
  std::int64_t now_ns_ = 0;
};

TEST_F(ErrorFileTest, TheLogHasTheFirstFrameOfEachReasonAndEachMinuteHowManyMoreCame) {
  ErrorFile errors(folder_, "kraken");
  EXPECT_EQ(told(errors, "malformed_json", "malformed_json", "unknown_frame"),
            "kraken: a frame cannot be read: malformed_json. Such frames are kept in " + path_ +
                "\nkraken: a frame cannot be read: unknown_frame. Such frames are kept in " + path_ + "\n");
  now_ns_ += 60 * kSecondNs;
  EXPECT_EQ(told(errors, "malformed_json", "malformed_json"), "kraken: 2 more frames cannot be read: malformed_json\n");
}

TEST_F(ErrorFileTest, AFullFileIsToldOnce) {
  std::filesystem::create_directories(folder_);
  { ErrorFile errors(folder_, "kraken"); }
  std::filesystem::resize_file(path_, 64U << 20);
  ErrorFile errors(folder_, "kraken");
  EXPECT_NE(told(errors, "malformed_json").find("kraken: " + path_ + " is full, and no more frames are kept"),
            std::string::npos);
  EXPECT_EQ(told(errors, "malformed_json"), "");
  EXPECT_EQ(std::filesystem::file_size(path_), 64U << 20);
}

}  // namespace
}  // namespace livetape::bridge
