#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace livetape::bridge {

/// Keeps frames that could not be decoded, one JSON object a line, up to a bound: the first ones tell the most. The log
/// has the first frame of each reason, and each minute how many more came.
class ErrorFile {
 public:
  /// Appends to `<folder>/<venue>.jsonl`; the folder is made.
  /// Throws std::runtime_error that names the file when it cannot be written.
  ErrorFile(const std::filesystem::path& folder, std::string_view venue);

  void keep(std::int64_t receive_time_ns, std::string_view reason, std::string_view frame);

 private:
  static constexpr std::uintmax_t kMaxBytes = 64U << 20;
  static constexpr std::int64_t kTellAgainNs = 60'000'000'000;

  struct Untold {
    std::uint64_t frames = 0;
    std::int64_t since_ns = 0;
  };

  void tell(std::int64_t receive_time_ns, std::string_view reason);

  std::string venue_;
  std::filesystem::path path_;
  std::ofstream out_;
  std::uintmax_t bytes_ = 0;
  bool is_full_ = false;
  std::map<std::string, Untold, std::less<>> untold_;  // by reason
};

}  // namespace livetape::bridge
