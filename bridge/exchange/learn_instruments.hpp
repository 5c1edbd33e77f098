#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "core/config.hpp"
#include "exchange/rest_client.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Hears why a list could not be read, and when it is asked for again.
using ListFailed = std::function<void(std::string_view reason, std::chrono::milliseconds wait)>;

/// Asks a venue how it calls its instruments until it has named at least one; nothing can be subscribed to before.
[[nodiscard]] boost::asio::awaitable<void> learn_instruments(Venue& venue, RestClient& rest, ListFailed on_failed);

/// Says which of the instruments the venue does not list; how many.
std::size_t say_unlisted(const Venue& venue, const VenueConfig& config);

/// Hears which instruments a venue lists that it did not list before.
using OthersListed = std::function<void(std::span<const std::uint32_t> instruments)>;

/// Asks for those that it did not name until it has named all, ever more rarely and behind whatever else is asked: an
/// instrument may be listed later, or be missing from one answer alone. `silence`: how long an instrument may be silent
/// at first.
[[nodiscard]] boost::asio::awaitable<void> learn_others(Venue& venue, RestClient& rest, const VenueConfig& config,
                                                        std::chrono::nanoseconds silence, OthersListed on_listed);

}  // namespace livetape::bridge
