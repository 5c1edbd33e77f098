#include "nic/hardware_time.hpp"

#include <gtest/gtest.h>
#include <linux/errqueue.h>

#include <array>
#include <cstring>

namespace livetape::bridge {
namespace {

/// A datagram of which the kernel says these times.
class Datagram {
 public:
  explicit Datagram(const ::scm_timestamping& times) {
    header_.msg_control = control_.data();
    header_.msg_controllen = control_.size();
    ::cmsghdr* const said = CMSG_FIRSTHDR(&header_);
    said->cmsg_level = SOL_SOCKET;
    said->cmsg_type = SCM_TIMESTAMPING;
    said->cmsg_len = CMSG_LEN(sizeof times);
    std::memcpy(CMSG_DATA(said), &times, sizeof times);
  }
  ::msghdr& header() noexcept { return header_; }

 private:
  alignas(::cmsghdr) std::array<char, kHardwareTimeBytes> control_{};
  ::msghdr header_{};
};

TEST(HardwareTime, IsTheCardsOwn) {
  Datagram datagram({{{1, 2}, {3, 4}, {1'700'000'000, 5}}});
  EXPECT_EQ(hardware_time_ns(datagram.header()), 1'700'000'000'000'000'005);
}

TEST(HardwareTime, IsNoneWhereOnlyTheKernelHasOne) {
  Datagram datagram({{{1'700'000'000, 5}, {0, 0}, {0, 0}}});
  EXPECT_EQ(hardware_time_ns(datagram.header()), 0);
}

TEST(HardwareTime, IsNoneWhereNothingIsSaid) {
  ::msghdr header{};
  EXPECT_EQ(hardware_time_ns(header), 0);
}

}  // namespace
}  // namespace livetape::bridge
