#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "exchange/url.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// One channel of one instrument.
struct Subscription {
  Channel channel = Channel::trades;
  std::uint32_t instrument = 0;
  bool operator==(const Subscription&) const = default;
};

/// What one connection is for.
struct ConnectionPlan {
  std::string path;  // empty: that of the configuration
  std::vector<Subscription> subscriptions;

  /// Where it goes, with this address in the configuration.
  [[nodiscard]] Url address(Url configured) const;
  /// The same as a text to be told.
  [[nodiscard]] std::string address(const std::string& configured) const;
  /// Whether trades come by it.
  [[nodiscard]] bool has_trades() const noexcept;
};

/// What is read of a venue's instruments.
[[nodiscard]] std::vector<Channel> channels_of(const VenueConfig& config);

/// The instruments that the venue lists.
[[nodiscard]] std::vector<std::uint32_t> listed_instruments(const Venue& venue);

/// Those that it lists besides these, in the same order.
[[nodiscard]] std::vector<std::uint32_t> listed_besides(const Venue& venue, std::span<const std::uint32_t> known);

/// The subscriptions to these instruments, shared out among as few connections as the venue's limits allow.
[[nodiscard]] std::vector<ConnectionPlan> plan_connections(const Venue& venue, std::span<const Channel> channels,
                                                           std::span<const std::uint32_t> instruments);

/// The messages that make these subscriptions, or end them, in chunks within the venue's limits.
[[nodiscard]] std::vector<std::string> messages_for(const Venue& venue, std::span<const Subscription> subscriptions,
                                                    bool is_on);

}  // namespace livetape::bridge
