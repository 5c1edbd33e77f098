#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <string_view>

#include "exchange/rest_client.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Hears why a list could not be read, and when it is asked for again.
using ListFailed = std::function<void(std::string_view reason, std::chrono::milliseconds wait)>;

/// Asks a venue how it calls its instruments until it has named at least one; nothing can be subscribed to before.
[[nodiscard]] boost::asio::awaitable<void> learn_instruments(Venue& venue, RestClient& rest, ListFailed on_failed);

/// Asks once for those that it did not name, behind whatever else is asked.
[[nodiscard]] boost::asio::awaitable<void> learn_others(Venue& venue, RestClient& rest);

}  // namespace livetape::bridge
