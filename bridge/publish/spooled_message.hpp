#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace livetape::bridge {

/// A message as a spool has it; its bytes are those of whoever handed it out.
struct SpooledMessage {
  std::uint64_t sequence = 0;
  std::string_view key;
  std::span<const std::uint8_t> value;
};

}  // namespace livetape::bridge
