#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/big_endian.hpp"

namespace livetape::bridge {

/// Registry ids of the schemas that records are written by.
struct SchemaIds {
  std::int32_t trade = 0;
  std::int32_t clock = 0;
  std::int32_t gap = 0;
  std::int32_t quote = 0;
  std::int32_t candle = 0;
};

/// Ids of the same schemas' other versions: those of messages that an earlier run left on disk, and of a bridge of
/// another release.
struct OtherSchemaIds {
  std::vector<std::int32_t> trade;
  std::vector<std::int32_t> clock;
  std::vector<std::int32_t> gap;
  std::vector<std::int32_t> quote;
  std::vector<std::int32_t> candle;
};

/// The id in a record's wire header; 0, which no schema has, where there is none.
[[nodiscard]] inline std::int32_t schema_id_in(std::span<const std::uint8_t> value) noexcept {
  constexpr std::size_t kMagicBytes = 1;
  if (value.size() < kMagicBytes + sizeof(std::uint32_t)) return 0;
  return static_cast<std::int32_t>(read_big_endian<4>(value.data() + kMagicBytes));
}

}  // namespace livetape::bridge
