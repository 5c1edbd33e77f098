#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "exchange/venue.hpp"
#include "frames.hpp"

namespace livetape::bridge {

/// A venue that knows its instruments, and what it decodes.
template <typename Client>
class VenueTest : public ::testing::Test {
 protected:
  VenueTest(const std::vector<std::string>& instruments, const char* list, std::int64_t receive_time_ns = 7)
      : venue_(instruments), receive_time_ns_(receive_time_ns) {
    EXPECT_EQ(venue_.read_instruments(frame(list)), DecodeError::none);
  }

  /// Expects that an answer is refused in these words; whether for the sake of the question alone.
  void expect_refusal(const std::string& body, const std::string& reason, bool is_of_all) {
    const auto refusal = venue_.refusal(frame(body));
    ASSERT_TRUE(refusal) << body;
    EXPECT_EQ(refusal->reason, reason);
    EXPECT_EQ(refusal->is_of_all, is_of_all) << body;
  }

  FrameResult decode(const std::string& text) { return venue_.decode(frame(text), receive_time_ns_, out_); }

  Client venue_;
  Decoded out_;

 private:
  std::int64_t receive_time_ns_;
};

}  // namespace livetape::bridge
