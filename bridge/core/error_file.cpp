#include "core/error_file.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "core/log.hpp"

namespace livetape::bridge {
namespace {

/// JSON's escapes; bytes that are no ASCII are kept as numbers, since a broken frame need not be UTF-8.
std::string escaped(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 0xf];
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

ErrorFile::ErrorFile(const std::filesystem::path& folder, std::string_view venue)
    : venue_(venue), path_(folder / (venue_ + ".jsonl")) {
  std::error_code ignored;  // a folder that cannot be made shows as a file that cannot be opened
  std::filesystem::create_directories(folder, ignored);
  out_.open(path_, std::ios::app);
  if (!out_)
    throw std::runtime_error("undecodable frames cannot be kept in " + path_.string() + ": " +
                             std::error_code(errno, std::generic_category()).message());
  const auto size = std::filesystem::file_size(path_, ignored);
  bytes_ = ignored ? 0 : size;
}

void ErrorFile::keep(std::int64_t receive_time_ns, std::string_view reason, std::string_view frame) {
  tell(receive_time_ns, reason);
  if (bytes_ >= kMaxBytes) {
    if (!std::exchange(is_full_, true))
      log(venue_, path_.string() + " is full, and no more frames are kept: remove it");
    return;
  }
  const std::string line = R"({"receive_time_ns":)" + std::to_string(receive_time_ns) + R"(,"reason":")" +
                           std::string(reason) + R"(","frame":")" + escaped(frame) + "\"}\n";
  out_ << line << std::flush;
  bytes_ += line.size();
}

void ErrorFile::tell(std::int64_t receive_time_ns, std::string_view reason) {
  const auto known = untold_.find(reason);
  if (known == untold_.end()) {
    untold_.emplace(reason, Untold{0, receive_time_ns});
    log(venue_, "a frame cannot be read: " + std::string(reason) + ". Such frames are kept in " + path_.string());
    return;
  }
  Untold& untold = known->second;
  ++untold.frames;
  if (receive_time_ns - untold.since_ns < kTellAgainNs) return;
  log(venue_, std::to_string(untold.frames) + " more frames cannot be read: " + std::string(reason));
  untold = {0, receive_time_ns};
}

}  // namespace livetape::bridge
