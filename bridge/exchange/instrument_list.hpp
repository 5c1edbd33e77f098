#pragma once

#include <boost/asio/awaitable.hpp>

#include "core/config.hpp"
#include "core/metrics.hpp"
#include "exchange/rest_client.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Asks a venue how it calls its instruments until it answers, and says which of ours it does not list.
[[nodiscard]] boost::asio::awaitable<void> learn_instruments(const VenueConfig& config, Venue& venue, RestClient& rest,
                                                             VenueMetrics& metrics);

}  // namespace livetape::bridge
