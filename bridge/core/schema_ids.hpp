#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/big_endian.hpp"

namespace livetape::bridge {

/// Something of each schema that records are written by.
template <typename Of>
struct BySchema {
  Of trade{};
  Of clock{};
  Of gap{};
  Of quote{};
  Of candle{};
};

/// Registry ids of the versions that are written.
using SchemaIds = BySchema<std::int32_t>;
/// Ids of all others: those of messages that an earlier run left on disk, and of a bridge of another release.
using OtherSchemaIds = BySchema<std::vector<std::int32_t>>;

/// The id in a record's wire header; 0, which no schema has, where there is none.
[[nodiscard]] inline std::int32_t schema_id_in(std::span<const std::uint8_t> value) noexcept {
  constexpr std::size_t kMagicBytes = 1;
  if (value.size() < kMagicBytes + sizeof(std::uint32_t)) return 0;
  return static_cast<std::int32_t>(read_big_endian<4>(value.data() + kMagicBytes));
}

}  // namespace livetape::bridge
