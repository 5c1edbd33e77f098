#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace livetape::bridge {

/// The least `max.message.bytes` of some topics: a broker refuses a larger batch as a whole. Nothing where no topic
/// tells in time, as to a user without DescribeConfigs.
[[nodiscard]] std::optional<std::uint32_t> largest_batch(rd_kafka_t& client, std::span<const std::string> topics,
                                                         int timeout_ms);

}  // namespace livetape::bridge
