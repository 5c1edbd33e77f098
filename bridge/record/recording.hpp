#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/gzip_file.hpp"

namespace livetape::bridge {

/// When a file is followed by the next one: whichever comes first.
struct Rotation {
  std::chrono::seconds age{3'600};
  std::uint64_t bytes = std::uint64_t{256} << 20;  // compressed
};

/// What is recorded of a venue: files named by the time that their first record was received at,
/// `FOLDER/VENUE/YYYYMMDDTHHMMSS` in UTC and a suffix, one after the other.
class Recording {
 public:
  /// Every file begins with `header`.
  /// Throws std::runtime_error that names the folder when nothing can be written in it.
  Recording(std::filesystem::path folder, std::string suffix, std::vector<std::uint8_t> header, Rotation rotation);

  /// Adds a record. Throws std::runtime_error that names the file and says why when the disk does not take it.
  void add(std::int64_t receive_time_ns, std::span<const std::uint8_t> record);
  /// Hands what was added to the system, and ends a file that is old enough. Throws as `add` does.
  void tick(std::int64_t now_ns);
  /// Ends the file. Throws as `add` does.
  void finish();

 private:
  void begin(std::int64_t now_ns);
  void check(bool is_written) const;

  std::filesystem::path folder_;
  std::string suffix_;
  std::vector<std::uint8_t> header_;
  Rotation rotation_;
  std::optional<GzipFile> file_;
  std::filesystem::path path_;
  std::int64_t began_ns_ = 0;
};

/// `20260309T143000` of nanoseconds since 1970-01-01T00:00:00Z.
[[nodiscard]] std::string compact_time(std::int64_t time_ns);

}  // namespace livetape::bridge
