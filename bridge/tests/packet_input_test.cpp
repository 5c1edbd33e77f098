#include "nic/packet_input.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <system_error>

namespace livetape::bridge {
namespace {

/// As if the process had as many files open as it may.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const ::rlimit none{0, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoMoreFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;

 private:
  ::rlimit before_{};
};

TEST(PacketInput, DoesWithoutAGroupOfDpdkForNothingButAnInterfaceThatTheKernelLacks) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizers open files of their own to look at an exception";
#endif
  PacketFeedConfig config;
  config.venue = "nasdaq";
  config.lines = {"239.77.2.1:26400"};
  config.dpdk = "";
  PacketMetrics metrics;
  const NoMoreFiles no_more_files;
  try {
    (void)open_input(config, metrics);
    FAIL() << "it was opened";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::too_many_files_open);
  }
}

}  // namespace
}  // namespace livetape::bridge
