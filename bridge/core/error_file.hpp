#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace livetape::bridge {

/// Keeps frames that could not be decoded, one JSON object a line, up to a bound: the first ones tell the most.
class ErrorFile {
 public:
  /// Appends to `<folder>/<venue>.jsonl`; the folder is made.
  /// Throws std::runtime_error that names the file when it cannot be written.
  ErrorFile(const std::filesystem::path& folder, std::string_view venue);

  void keep(std::int64_t receive_time_ns, std::string_view reason, std::string_view frame);

 private:
  static constexpr std::uintmax_t kMaxBytes = 64U << 20;

  std::ofstream out_;
  std::uintmax_t bytes_ = 0;
};

}  // namespace livetape::bridge
