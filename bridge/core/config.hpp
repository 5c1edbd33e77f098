#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/exchange_day.hpp"
#include "core/schema_ids.hpp"
#include "core/session_id.hpp"

namespace livetape::bridge {

/// Who writes a venue to Kafka: a venue has one writer.
enum class Writer : std::uint8_t { direct, relay };

/// One venue to read.
struct VenueConfig {
  std::string venue;
  std::string url;
  std::string rest_url;
  std::string ca_file;  // empty: the system's authorities
  std::vector<std::string> instruments;
  std::chrono::milliseconds clock_delay{0};
  Writer writer = Writer::direct;
  bool has_quotes = false;   // its best bids and asks are read as well
  bool has_candles = false;  // its own minutes are read as well
};

/// One packet feed to read: ITCH 5.0 over MoldUDP64.
struct PacketFeedConfig {
  std::string venue;
  std::vector<std::string> lines;           // the same packets by as many ways, HOST:PORT each
  std::string interface;                    // address of the one that groups are joined on; empty: the system's choice
  std::string rerequest;                    // HOST:PORT; empty: there is no server
  std::optional<std::string> dpdk;          // its arguments; none: the kernel's sockets
  std::vector<std::string> instruments;     // none: every stock
  std::string currency;                     // of the instruments' names
  std::vector<UtcOffset> utc_offsets;       // of the exchange's clocks
  std::optional<std::int64_t> midnight_ns;  // of the day that every session is of; none: by the clock
  std::size_t orders = 0;                   // that there is room for at the beginning
  std::chrono::milliseconds clock_delay{0};
  Writer writer = Writer::direct;
};

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

/// The configuration file of bridge and relay.
struct Config {
  NamespaceMark namespace_mark{};  // of the namespace that all of this is of
  std::string trades_topic;
  std::string gaps_topic;
  std::string quotes_topic;
  std::string candles_topic;
  std::vector<std::pair<std::string, std::string>> kafka;  // librdkafka's own names
  SchemaIds schema_ids;
  OtherSchemaIds other_schema_ids;
  std::string zeromq_data;
  std::string zeromq_retry;
  std::size_t retry_bytes = 0;  // kept of each venue for those who missed them
  Address metrics;
  Address relay_metrics;
  std::filesystem::path errors_dir;
  std::filesystem::path spool_dir;
  std::uint64_t spool_bytes = 0;  // of each venue, at most
  std::filesystem::path positions_dir;
  std::chrono::milliseconds clock_interval{250};
  std::chrono::milliseconds silence{60'000};  // after which an instrument's subscription is doubted
  std::vector<VenueConfig> venues;
  std::vector<PacketFeedConfig> packet_feeds;

  /// Who writes a venue or a packet feed of this name.
  [[nodiscard]] Writer writer_of(std::string_view venue) const noexcept;
};

/// Throws std::runtime_error that names the file and what is wrong with it; to have nothing to read is wrong.
[[nodiscard]] Config read_config(const std::filesystem::path& file);

}  // namespace livetape::bridge
