#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>

namespace livetape::bridge {

/// A file's descriptor, closed at the end. Errors are codes: errno has the reason.
class File {
 public:
  File() = default;
  File(const std::filesystem::path& path, int flags) noexcept
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): the mode of a new file has no other way in
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~File() { close(); }
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
    return *this;
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] bool try_lock() const noexcept { return ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0; }

  /// Writes all of it there; false when the disk took less.
  [[nodiscard]] bool write_at(std::span<const std::uint8_t> bytes, std::uint64_t offset) const noexcept {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return true;
  }

  /// Leaves so much of it; errno stays as it is.
  void cut_off(std::uint64_t bytes) const noexcept {
    const int reason = errno;
    [[maybe_unused]] const int ignored = ::ftruncate(descriptor_, static_cast<off_t>(bytes));
    errno = reason;
  }

  /// How many bytes were read, fewer than asked for at the file's end; nothing where it cannot be read.
  [[nodiscard]] std::optional<std::size_t> read_at(std::span<std::uint8_t> out, std::uint64_t offset) const noexcept {
    if (!is_open()) return std::nullopt;
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t count =
          ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return std::nullopt;
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

 private:
  void close() const noexcept {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  int descriptor_ = -1;
};

}  // namespace livetape::bridge
