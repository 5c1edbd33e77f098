#include "publish/batch_limit.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <vector>

namespace livetape::bridge {
namespace {

struct Destroy {
  void operator()(rd_kafka_AdminOptions_t* options) const noexcept { rd_kafka_AdminOptions_destroy(options); }
  void operator()(rd_kafka_ConfigResource_t* topic) const noexcept { rd_kafka_ConfigResource_destroy(topic); }
  void operator()(rd_kafka_queue_t* queue) const noexcept { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_event_t* event) const noexcept { rd_kafka_event_destroy(event); }
};
template <typename T>
using Owned = std::unique_ptr<T, Destroy>;

/// What the brokers answer for these topics; null when they do not.
Owned<rd_kafka_event_t> described(rd_kafka_t& client, std::span<const std::string> topics, int timeout_ms) {
  std::vector<Owned<rd_kafka_ConfigResource_t>> owned;
  std::vector<rd_kafka_ConfigResource_t*> asked;
  for (const std::string& topic : topics) {
    owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    asked.push_back(owned.back().get());
  }
  const Owned<rd_kafka_AdminOptions_t> options(rd_kafka_AdminOptions_new(&client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, nullptr, 0);
  const Owned<rd_kafka_queue_t> answers(rd_kafka_queue_new(&client));
  rd_kafka_DescribeConfigs(&client, asked.data(), asked.size(), options.get(), answers.get());
  return Owned<rd_kafka_event_t>(rd_kafka_queue_poll(answers.get(), timeout_ms));
}

std::optional<std::uint32_t> limit_in(const rd_kafka_ConfigResource_t& topic) {
  std::size_t count = 0;
  const auto* const* const entries = rd_kafka_ConfigResource_configs(&topic, &count);
  for (const rd_kafka_ConfigEntry_t* entry : std::span(entries, count)) {
    const char* const value = rd_kafka_ConfigEntry_value(entry);
    if (value == nullptr || std::string_view(rd_kafka_ConfigEntry_name(entry)) != "max.message.bytes") continue;
    const std::string_view digits(value);
    std::uint32_t limit = 0;
    const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), limit);
    if (error == std::errc()) return limit;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint32_t> largest_batch(rd_kafka_t& client, std::span<const std::string> topics, int timeout_ms) {
  const auto answer = described(client, topics, timeout_ms);
  const auto* const result = answer ? rd_kafka_event_DescribeConfigs_result(answer.get()) : nullptr;
  if (result == nullptr) return std::nullopt;
  std::size_t count = 0;
  const auto* const* const told = rd_kafka_DescribeConfigs_result_resources(result, &count);
  std::optional<std::uint32_t> least;
  for (const rd_kafka_ConfigResource_t* topic : std::span(told, count)) {
    const auto limit = limit_in(*topic);
    if (limit) least = std::min(*limit, least.value_or(*limit));
  }
  return least;
}

}  // namespace livetape::bridge
