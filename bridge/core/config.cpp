#include "core/config.hpp"

#include <simdjson.h>

#include <charconv>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace livetape::bridge {
namespace {

using simdjson::dom::element;

/// A field that must be there.
element field(const element& json, std::string_view name) {
  element value;
  if (json[name].get(value) != simdjson::SUCCESS) throw std::runtime_error("no field " + std::string(name));
  return value;
}

template <typename T>
T field_as(const element& json, std::string_view name) {
  T value{};
  if (field(json, name).get(value) != simdjson::SUCCESS) {
    throw std::runtime_error("field " + std::string(name) + " has a value of the wrong type");
  }
  return value;
}

std::string text(const element& json, std::string_view name) {
  return std::string(field_as<std::string_view>(json, name));
}

std::int64_t number(const element& json, std::string_view name) { return field_as<std::int64_t>(json, name); }

std::vector<std::string> texts(const element& json, std::string_view name) {
  std::vector<std::string> all;
  for (const element each : field_as<simdjson::dom::array>(json, name)) {
    all.emplace_back(std::string_view(each));
  }
  return all;
}

std::int32_t id(const element& json, std::string_view name) { return static_cast<std::int32_t>(number(json, name)); }

std::vector<std::int32_t> ids(const element& json, std::string_view name) {
  std::vector<std::int32_t> all;
  for (const element each : field_as<simdjson::dom::array>(json, name)) {
    all.push_back(static_cast<std::int32_t>(std::int64_t(each)));
  }
  return all;
}

template <typename Of>
BySchema<Of> by_schema(const element& json, Of (*read)(const element&, std::string_view)) {
  return {.trade = read(json, "trade"),
          .clock = read(json, "clock"),
          .gap = read(json, "gap"),
          .quote = read(json, "quote"),
          .candle = read(json, "candle")};
}

Writer read_writer(const element& json) {
  const std::string writer = text(json, "writer");
  if (writer != "direct" && writer != "relay") throw std::runtime_error("writer must be direct or relay: " + writer);
  return writer == "relay" ? Writer::relay : Writer::direct;
}

VenueConfig read_venue(const element& json) {
  VenueConfig venue;
  venue.venue = text(json, "venue");
  venue.url = text(json, "url");
  venue.rest_url = text(json, "rest_url");
  if (!field(json, "ca_file").is_null()) venue.ca_file = text(json, "ca_file");
  venue.instruments = texts(json, "instruments");
  if (venue.instruments.empty()) throw std::runtime_error("venue " + venue.venue + " has no instruments");
  venue.clock_delay = std::chrono::milliseconds(number(json, "clock_delay_ms"));
  venue.writer = read_writer(json);
  venue.has_quotes = field_as<bool>(json, "quotes");
  venue.has_candles = field_as<bool>(json, "candles");
  return venue;
}

PacketFeedConfig read_packet_feed(const element& json) {
  PacketFeedConfig feed;
  feed.venue = text(json, "venue");
  feed.lines = texts(json, "lines");
  if (!field(json, "interface").is_null()) feed.interface = text(json, "interface");
  if (!field(json, "rerequest").is_null()) feed.rerequest = text(json, "rerequest");
  if (!field(json, "dpdk").is_null()) feed.dpdk = text(json, "dpdk");
  feed.instruments = texts(json, "instruments");
  feed.currency = text(json, "currency");
  for (const element offset : field_as<simdjson::dom::array>(json, "utc_offsets")) {
    feed.utc_offsets.push_back({number(offset, "from_ns"), static_cast<std::int32_t>(number(offset, "seconds"))});
  }
  if (feed.utc_offsets.empty()) throw std::runtime_error("packet feed " + feed.venue + " has no utc_offsets");
  if (!field(json, "midnight_ns").is_null()) feed.midnight_ns = number(json, "midnight_ns");
  feed.orders = static_cast<std::size_t>(field_as<std::uint64_t>(json, "orders"));
  feed.writer = read_writer(json);
  feed.clock_delay = std::chrono::milliseconds(number(json, "clock_delay_ms"));
  return feed;
}

Address read_address(const element& json, std::string_view name) {
  const std::string text_of = text(json, name);
  const auto colon = text_of.rfind(':');
  const char* const end = text_of.data() + text_of.size();
  const char* const port = colon == std::string::npos ? end : text_of.data() + colon + 1;
  Address address{text_of.substr(0, colon), 0};
  const auto [rest, error] = std::from_chars(port, end, address.port);
  if (error != std::errc() || rest != end) {
    throw std::runtime_error(std::string(name) + " must be HOST:PORT, and is " + text_of);
  }
  return address;
}

Config read(const element& json) {
  Config config;
  config.namespace_mark = mark_of_namespace(text(json, "namespace"));
  config.trades_topic = text(json, "topic");
  config.gaps_topic = text(json, "gaps_topic");
  config.quotes_topic = text(json, "quotes_topic");
  config.candles_topic = text(json, "candles_topic");
  for (const auto [name, value] : field_as<simdjson::dom::object>(json, "kafka")) {
    config.kafka.emplace_back(std::string(name), text(field(json, "kafka"), name));
  }
  config.schema_ids = by_schema(field(json, "schema_ids"), id);
  config.other_schema_ids = by_schema(field(json, "other_schema_ids"), ids);
  const element zeromq = field(json, "zmq");
  config.zeromq_data = text(zeromq, "data");
  config.zeromq_retry = text(zeromq, "retry");
  config.retry_bytes = static_cast<std::size_t>(field_as<std::uint64_t>(zeromq, "retry_bytes"));
  config.metrics = read_address(json, "metrics");
  config.relay_metrics = read_address(json, "relay_metrics");
  config.errors_dir = text(json, "errors_dir");
  config.spool_dir = text(json, "spool_dir");
  config.spool_bytes = field_as<std::uint64_t>(json, "spool_bytes");
  config.positions_dir = text(json, "positions_dir");
  config.clock_interval = std::chrono::milliseconds(number(json, "clock_interval_ms"));
  config.silence = std::chrono::milliseconds(number(json, "silence_ms"));
  for (const element venue : field_as<simdjson::dom::array>(json, "venues")) {
    config.venues.push_back(read_venue(venue));
  }
  for (const element feed : field_as<simdjson::dom::array>(json, "packet_feeds")) {
    config.packet_feeds.push_back(read_packet_feed(feed));
  }
  if (config.venues.empty() && config.packet_feeds.empty()) {
    throw std::runtime_error("nothing is set to be read: LIVETAPE_VENUES and LIVETAPE_PACKET_FEEDS name no venue");
  }
  return config;
}

}  // namespace

Writer Config::writer_of(std::string_view venue) const noexcept {
  for (const VenueConfig& each : venues) {
    if (each.venue == venue) return each.writer;
  }
  for (const PacketFeedConfig& each : packet_feeds) {
    if (each.venue == venue) return each.writer;
  }
  return Writer::direct;
}

Config read_config(const std::filesystem::path& file) {
  try {
    simdjson::dom::parser parser;
    return read(parser.load(file.string()));
  } catch (const std::exception& error) {
    throw std::runtime_error(file.string() + ": " + error.what());
  }
}

}  // namespace livetape::bridge
