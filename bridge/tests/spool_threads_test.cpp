#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "publish/spool.hpp"

namespace livetape::bridge {
namespace {

TEST(SpoolThreads, OneMayReadAndConfirmWhileTheOtherAppends) {
  constexpr std::uint64_t kMessages = 20'000;
  const auto folder = std::filesystem::temp_directory_path() / ("livetape-spool-threads-" + std::to_string(::getpid()));
  VenueMetrics metrics;
  const SessionId session{1};
  std::uint64_t next = 1;
  {
    Spool spool(folder, session, 64 << 10, metrics);
    std::thread other([&] {
      SpoolReader reader(spool);
      while (next <= kMessages) {
        const auto messages = reader.read();
        if (messages.empty()) std::this_thread::sleep_for(std::chrono::microseconds(50));  // leave the other the lock
        for (const SpooledMessage& message : messages) {
          ASSERT_EQ(message.sequence, next++);
          ASSERT_EQ(message.key, std::to_string(message.sequence));
        }
        spool.confirm(session, next - 1);
      }
    });
    for (std::uint64_t sequence = 1; sequence <= kMessages; ++sequence) {
      const std::string key = std::to_string(sequence);
      spool.append(sequence, key, {});
      while (!spool.flush()) std::this_thread::yield();  // the bound: until the other has confirmed some
      spool.clear();
    }
    other.join();
    EXPECT_TRUE(spool.sessions().empty());
  }
  std::filesystem::remove_all(folder);
  EXPECT_EQ(next, kMessages + 1);
}

}  // namespace
}  // namespace livetape::bridge
