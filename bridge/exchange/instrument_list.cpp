#include "exchange/instrument_list.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <random>
#include <string>

#include "core/log.hpp"
#include "exchange/backoff.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;

/// Empty, or what went wrong.
asio::awaitable<std::string> read_instruments(Venue& venue, RestClient& rest) {
  try {
    const RestAnswer answer = co_await rest.get(venue.instruments_target());
    if (!answer.error.empty()) co_return answer.error;
    const DecodeError error = venue.read_instruments(answer.body);
    co_return error == DecodeError::none ? std::string() : "answer: " + std::string(name_of(error));
  } catch (const std::exception& error) {  // whatever it was, it must not end the venue
    co_return error.what();
  }
}

void say_unlisted(const VenueConfig& config, const Venue& venue, VenueMetrics& metrics) {
  for (std::uint32_t i = 0; i < config.instruments.size(); ++i) {
    if (venue.is_listed(i)) continue;
    ++metrics.unlisted;
    log(config.venue, "the venue does not list " + config.instruments[i] + ", the others go on");
  }
}

}  // namespace

asio::awaitable<void> learn_instruments(const VenueConfig& config, Venue& venue, RestClient& rest,
                                        VenueMetrics& metrics) {
  Backoff backoff(std::random_device{}());
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    const std::string reason = co_await read_instruments(venue, rest);
    if (reason.empty()) break;
    const auto wait = backoff.next(std::chrono::steady_clock::duration::zero());
    ++metrics.failed_connects;
    log(config.venue, "cannot read the instruments at " + config.rest_url + ": " + reason + next_attempt(wait));
    timer.expires_after(wait);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  say_unlisted(config, venue, metrics);
}

}  // namespace livetape::bridge
