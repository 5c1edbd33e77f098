#include "core/config.hpp"

#include <simdjson.h>

#include <stdexcept>

namespace livetape::bridge {
namespace {

using simdjson::dom::element;

std::string text(const element& json) { return std::string(std::string_view(json)); }

std::string optional_text(const element& json) { return json.is_null() ? std::string() : text(json); }

VenueConfig read_venue(const element& json) {
  VenueConfig venue;
  venue.venue = text(json["venue"]);
  venue.url = text(json["url"]);
  venue.ca_file = optional_text(json["ca_file"]);
  for (const element instrument : json["instruments"]) venue.instruments.push_back(text(instrument));
  venue.clock_delay = std::chrono::milliseconds(std::int64_t(json["clock_delay_ms"]));
  return venue;
}

void read_address(const std::string& address, Config& config) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) throw std::runtime_error("metrics must be HOST:PORT, and is " + address);
  config.metrics_host = address.substr(0, colon);
  config.metrics_port = static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1)));
}

Config read(const element& json) {
  Config config;
  config.topic = text(json["topic"]);
  for (const auto [name, value] : simdjson::dom::object(json["kafka"])) {
    config.kafka.emplace_back(std::string(name), text(value));
  }
  config.trade_schema_id = static_cast<std::int32_t>(std::int64_t(json["schema_ids"]["trade"]));
  config.clock_schema_id = static_cast<std::int32_t>(std::int64_t(json["schema_ids"]["clock"]));
  config.zeromq_data = text(json["zmq"]["data"]);
  read_address(text(json["metrics"]), config);
  config.errors_dir = text(json["errors_dir"]);
  config.clock_interval = std::chrono::milliseconds(std::int64_t(json["clock_interval_ms"]));
  for (const element venue : json["venues"]) config.venues.push_back(read_venue(venue));
  return config;
}

}  // namespace

Config read_config(const std::filesystem::path& file) {
  try {
    simdjson::dom::parser parser;
    return read(parser.load(file.string()));
  } catch (const std::exception& error) {
    throw std::runtime_error(file.string() + ": " + error.what());
  }
}

}  // namespace livetape::bridge
