#pragma once

#include <zlib.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "publish/file.hpp"

namespace livetape::bridge {

/// A new file that is compressed as it is written. What was flushed can be read whatever becomes of the process: the
/// stream is cut off behind it then, and good up to there. Errors are codes: errno has the reason. After the first one
/// nothing more is written, for it would take the place of what the disk took of a write.
class GzipFile {
 public:
  /// Makes the file, which must not be there; `is_open` says whether it could.
  explicit GzipFile(const std::filesystem::path& path);
  ~GzipFile();
  GzipFile(const GzipFile&) = delete;
  GzipFile& operator=(const GzipFile&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }
  [[nodiscard]] bool write(std::span<const std::uint8_t> bytes) noexcept { return deflate(bytes, Z_NO_FLUSH); }
  /// Hands all that was written to the system.
  [[nodiscard]] bool flush() noexcept { return deflate({}, Z_SYNC_FLUSH); }
  /// Ends the stream as a whole file has it. Nothing can be written any more.
  [[nodiscard]] bool finish() noexcept { return deflate({}, Z_FINISH); }
  /// How large the file is, compressed.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  [[nodiscard]] bool deflate(std::span<const std::uint8_t> bytes, int flush) noexcept;

  File file_;
  ::z_stream stream_{};
  std::array<std::uint8_t, std::size_t{64} << 10> out_{};
  std::uint64_t bytes_ = 0;
  int failure_ = 0;  // errno of the first write that failed
};

}  // namespace livetape::bridge
