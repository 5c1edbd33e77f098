#pragma once

#include <filesystem>
#include <system_error>
#include <utility>

namespace livetape::bridge {

/// For as long as it lives a file cannot be opened, not by root either: a link to itself has its name.
class UnopenableFile {
 public:
  explicit UnopenableFile(std::filesystem::path path) : path_(std::move(path)), aside_(path_.string() + ".aside") {
    std::filesystem::rename(path_, aside_);
    std::filesystem::create_symlink(path_, path_);
  }
  ~UnopenableFile() {
    std::error_code ignored;  // the test finds it gone
    std::filesystem::rename(aside_, path_, ignored);
  }
  UnopenableFile(const UnopenableFile&) = delete;
  UnopenableFile& operator=(const UnopenableFile&) = delete;

 private:
  std::filesystem::path path_;
  std::filesystem::path aside_;
};

}  // namespace livetape::bridge
