#include "exchange/subscription_plan.hpp"

#include <algorithm>
#include <iterator>

namespace livetape::bridge {

Url ConnectionPlan::address(Url configured) const {
  if (!path.empty()) configured.target = path;
  return configured;
}

std::string ConnectionPlan::address(const std::string& configured) const {
  if (path.empty()) return configured;
  return configured.substr(0, configured.find('/', configured.find("://") + 3)) + path;
}

bool ConnectionPlan::has_trades() const noexcept {
  return std::ranges::find(subscriptions, Channel::trades, &Subscription::channel) != subscriptions.end();
}

std::vector<Channel> channels_of(const VenueConfig& config) {
  std::vector<Channel> channels{Channel::trades};
  if (config.has_quotes) channels.push_back(Channel::quotes);
  return channels;
}

std::vector<std::uint32_t> listed_instruments(const Venue& venue) {
  std::vector<std::uint32_t> listed;
  for (std::uint32_t instrument = 0; instrument < venue.instrument_count(); ++instrument) {
    if (venue.is_listed(instrument)) listed.push_back(instrument);
  }
  return listed;
}

std::vector<std::uint32_t> listed_besides(const Venue& venue, std::span<const std::uint32_t> known) {
  std::vector<std::uint32_t> others;
  std::ranges::set_difference(listed_instruments(venue), known, std::back_inserter(others));
  return others;
}

std::vector<ConnectionPlan> plan_connections(const Venue& venue, std::span<const Channel> channels,
                                             std::span<const std::uint32_t> instruments) {
  const std::size_t most = venue.limits().subscriptions_per_connection;
  std::vector<ConnectionPlan> connections;
  const auto has_room = [&](const std::string& path) {
    return !connections.empty() && connections.back().path == path && connections.back().subscriptions.size() < most;
  };
  for (const Channel channel : channels) {
    const std::string path = venue.path(channel);
    for (const std::uint32_t instrument : instruments) {
      if (!has_room(path)) connections.push_back({path, {}});
      connections.back().subscriptions.push_back({channel, instrument});
    }
  }
  return connections;
}

std::vector<std::string> messages_for(const Venue& venue, std::span<const Subscription> subscriptions, bool is_on) {
  const std::size_t most = venue.limits().symbols_per_message;
  std::vector<std::string> messages;
  std::vector<std::uint32_t> chunk;
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    chunk.push_back(subscriptions[i].instrument);
    const bool is_last = i + 1 == subscriptions.size() || subscriptions[i + 1].channel != subscriptions[i].channel;
    if (!is_last && chunk.size() < most) continue;
    messages.push_back(venue.subscribe_message(subscriptions[i].channel, chunk, is_on));
    chunk.clear();
  }
  return messages;
}

}  // namespace livetape::bridge
