#include "record/gzip_file.hpp"

#include <cerrno>
#include <stdexcept>

namespace livetape::bridge {
namespace {

constexpr int kLevel = 6;
constexpr int kGzipWindow = 15 + 16;  // the largest, and 16 for gzip's header and trailer
constexpr int kMemoryLevel = 8;

}  // namespace

GzipFile::GzipFile(const std::filesystem::path& path) : file_(path, O_WRONLY | O_CREAT | O_EXCL) {
  if (::deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("zlib has no memory");
  }
}

GzipFile::~GzipFile() { (void)::deflateEnd(&stream_); }

bool GzipFile::deflate(std::span<const std::uint8_t> bytes, int flush) noexcept {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): zlib reads only, and has no const in its oldest interface
  stream_.next_in = const_cast<std::uint8_t*>(bytes.data());
  stream_.avail_in = static_cast<::uInt>(bytes.size());
  do {
    stream_.next_out = out_.data();
    stream_.avail_out = static_cast<::uInt>(out_.size());
    (void)::deflate(&stream_, flush);  // what it says besides "no progress" is told by what it has written
    const std::span made(out_.data(), out_.size() - stream_.avail_out);
    if (failure_ == 0 && !file_.write_at(made, bytes_)) failure_ = errno;
    errno = failure_;
    if (failure_ != 0) return false;
    bytes_ += made.size();
  } while (stream_.avail_out == 0);
  return true;
}

}  // namespace livetape::bridge
