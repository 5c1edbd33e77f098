#pragma once

#include <cstdint>
#include <span>

namespace livetape::kernel {

/// CRC-32C (Castagnoli) as Kafka puts it on each record batch; by the processor's own instruction where it has one.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::uint8_t> data) noexcept;

}  // namespace livetape::kernel
