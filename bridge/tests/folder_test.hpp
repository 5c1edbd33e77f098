#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace livetape::bridge {

/// A test that has a folder of its own, which is made by whoever needs it and goes behind all that used it.
class FolderTest : public ::testing::Test {
 protected:
  ~FolderTest() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      (std::string("livetape-") + ::testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() + "-" +
       std::to_string(::getpid()));
};

}  // namespace livetape::bridge
