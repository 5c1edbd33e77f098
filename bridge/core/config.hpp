#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace livetape::bridge {

/// One venue to read.
struct VenueConfig {
  std::string venue;
  std::string url;
  std::string ca_file;  // empty: the system's authorities
  std::vector<std::string> instruments;
  std::chrono::milliseconds clock_delay{0};
};

/// The bridge's configuration file.
struct Config {
  std::string topic;
  std::vector<std::pair<std::string, std::string>> kafka;  // librdkafka's own names
  std::int32_t trade_schema_id = 0;
  std::int32_t clock_schema_id = 0;
  std::string zeromq_data;
  std::string metrics_host;
  std::uint16_t metrics_port = 0;
  std::filesystem::path errors_dir;
  std::chrono::milliseconds clock_interval{250};
  std::vector<VenueConfig> venues;
};

/// Throws std::runtime_error that names the file and what is wrong with it.
[[nodiscard]] Config read_config(const std::filesystem::path& file);

}  // namespace livetape::bridge
