#pragma once

#include <cstdint>

namespace livetape::bridge {

/// Which day a session is of, and by which of its messages that was told: sessions of one name on two days have no
/// message there of the same nanosecond.
struct SessionDay {
  std::uint64_t since_midnight_ns = 0;  // of the message
  std::int64_t midnight_ns = 0;         // since 1970

  bool operator==(const SessionDay&) const = default;
};

}  // namespace livetape::bridge
