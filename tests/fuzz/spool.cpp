#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "expect.hpp"
#include "publish/spool.hpp"

/// Any bytes as the file of a spool that an earlier run left, torn or not: what is good of it is read, and what is lost
/// told, in its order and once, and the next run goes on behind it. Checksums are made right before, but for those that
/// are 0.
using namespace livetape::bridge;
using livetape::fuzz::expect;

namespace {

constexpr std::size_t kChecksum = 8;
constexpr std::size_t kFileHeader = 32;
constexpr std::size_t kRecordHeader = 24;
constexpr std::uint64_t kMaxBytes = 1 << 20;

template <typename Number>
Number number_at(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  Number number{};
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

void seal(std::vector<std::uint8_t>& bytes, std::size_t at, std::size_t from, std::size_t size) {
  const std::uint64_t checksum = XXH3_64bits(bytes.data() + from, size);
  if (number_at<std::uint64_t>(bytes, at) != 0) std::memcpy(bytes.data() + at, &checksum, kChecksum);
}

void mend(std::vector<std::uint8_t>& bytes) {
  if (bytes.size() < kFileHeader) return;
  seal(bytes, kFileHeader - kChecksum, 0, kFileHeader - kChecksum);
  for (std::size_t at = kFileHeader; bytes.size() - at >= kRecordHeader;) {
    const std::size_t size = kRecordHeader + std::size_t{number_at<std::uint32_t>(bytes, at + 16)} +
                             number_at<std::uint32_t>(bytes, at + 20);
    if (size > bytes.size() - at) return;
    seal(bytes, at, at + kChecksum, size - kChecksum);
    at += size;
  }
}

/// A folder of this process, empty.
std::filesystem::path folder() {
  static const auto kFolder = std::filesystem::temp_directory_path() / ("fuzz-spool-" + std::to_string(::getpid()));
  std::filesystem::remove_all(kFolder);
  std::filesystem::create_directories(kFolder);
  return kFolder;
}

std::vector<std::uint64_t> numbers_in(SpoolReader& reader) {
  std::vector<std::uint64_t> numbers;
  for (auto messages = reader.read(); !messages.empty(); messages = reader.read()) {
    for (const SpooledMessage& message : messages) {
      static volatile unsigned sum = 0;
      for (const std::uint8_t byte : message.value) sum = sum + byte;
      for (const char c : message.key) sum = sum + static_cast<unsigned char>(c);
      numbers.push_back(message.sequence);
    }
  }
  return numbers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::cerr.setstate(std::ios::failbit);  // a torn file is told each time
  std::vector<std::uint8_t> bytes(data, data + size);
  mend(bytes);
  const auto where = folder();
  std::ofstream(where / "000000000001.spool", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));

  SessionId session{};
  session.fill(7);
  VenueMetrics metrics;
  const LossTeller teller{.trade_time_ns = [](std::span<const std::uint8_t> value) -> std::optional<std::int64_t> {
                            return value.empty() ? std::nullopt : std::optional<std::int64_t>(value.back());
                          },
                          .tell =
                              [](const LostMessages& lost) {
                                expect(lost.first <= lost.last, "some are lost");
                                return LossRecord{"test:*", {}};
                              }};
  Spool spool(where, session, kMaxBytes, metrics, teller);
  SpoolReader reader(spool);
  for (const SpooledSession& each : spool.sessions()) {
    if (reader.seek(each.session, each.last)) expect(!reader.read().empty(), "what was found can be read");
  }
  SpoolReader from_start(spool);
  std::vector<std::uint64_t> numbers = numbers_in(from_start);
  expect(std::ranges::is_sorted(numbers, std::less_equal{}), "nothing is read twice");
  const std::vector<std::uint8_t> value{1, 2, 3};
  spool.append(1, "test:A-B", value);
  expect(spool.flush(), "the next run goes on");
  spool.clear();
  numbers = numbers_in(from_start);
  expect(numbers.size() == 1 && numbers[0] == 1, "and is read behind the last one");
  return 0;
}
