#include "record/recording.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace livetape::bridge {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int code) {
  throw std::runtime_error("nothing can be recorded in " + path.string() + ": " +
                           std::error_code(code, std::generic_category()).message());
}

}  // namespace

std::string compact_time(std::int64_t time_ns) {
  constexpr std::int64_t kSecondNs = 1'000'000'000;
  const std::time_t seconds = time_ns / kSecondNs;
  std::tm utc{};
  (void)::gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%S", &utc)};
}

Recording::Recording(std::filesystem::path folder, std::string suffix, std::vector<std::uint8_t> header,
                     Rotation rotation)
    : folder_(std::move(folder)), suffix_(std::move(suffix)), header_(std::move(header)), rotation_(rotation) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) fail(folder_, error.value());
  if (::access(folder_.c_str(), W_OK | X_OK) != 0) fail(folder_, errno);
}

void Recording::add(std::int64_t receive_time_ns, std::span<const std::uint8_t> record) {
  if (file_ && file_->bytes() >= rotation_.bytes) finish();
  if (!file_) begin(receive_time_ns);
  check(file_->write(record));
}

void Recording::tick(std::int64_t now_ns) {
  if (!file_) return;
  if (now_ns - began_ns_ >= std::chrono::nanoseconds(rotation_.age).count()) return finish();
  check(file_->flush());
}

void Recording::finish() {
  if (!file_) return;
  check(file_->finish());
  file_.reset();
}

/// A second file of the same second has a number behind its time; it sorts behind the first.
void Recording::begin(std::int64_t now_ns) {
  const std::string name = compact_time(now_ns);
  for (int number = 1;; ++number) {
    path_ = folder_ / (name + (number == 1 ? "" : "_" + std::to_string(number)) + suffix_);
    file_.emplace(path_);
    if (file_->is_open()) break;
    const int reason = errno;
    file_.reset();
    if (reason != EEXIST) fail(path_, reason);
  }
  began_ns_ = now_ns;
  check(file_->write(header_) && file_->flush());  // so that a file is one from the first
}

void Recording::check(bool is_written) const {
  if (!is_written) fail(path_, errno);
}

}  // namespace livetape::bridge
