#pragma once

#include <cstdint>

namespace livetape::bridge {

/// Registry ids of the schemas that records are written by.
struct SchemaIds {
  std::int32_t trade = 0;
  std::int32_t clock = 0;
  std::int32_t gap = 0;
  std::int32_t quote = 0;
  std::int32_t candle = 0;
};

}  // namespace livetape::bridge
