#pragma once

#include <atomic>
#include <cstdint>

namespace livetape::bridge {

/// What threads count and the metrics server reads.
using Counter = std::atomic<std::uint64_t>;

}  // namespace livetape::bridge
