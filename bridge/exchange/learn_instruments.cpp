#include "exchange/learn_instruments.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "exchange/backoff.hpp"
#include "exchange/list_patience.hpp"
#include "exchange/subscription_plan.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;

bool lists_any(const Venue& venue) {
  for (std::uint32_t i = 0; i < venue.instrument_count(); ++i) {
    if (venue.is_listed(i)) return true;
  }
  return false;
}

/// What went wrong, and how long the venue wants to be left alone.
struct Trouble {
  std::string reason{};  // empty: nothing
  std::chrono::milliseconds wait{0};
};

asio::awaitable<Trouble> read_list(Venue& venue, RestClient& rest, RestClient::Turn turn) {
  try {
    const RestAnswer answer = co_await rest.get(venue.instruments_target(), turn, RestClient::kMaxListBytes);
    if (!answer.error.empty()) co_return Trouble{answer.error, answer.wait};
    const DecodeError error = venue.read_instruments(answer.body);
    if (error != DecodeError::none) co_return Trouble{"answer: " + std::string(name_of(error))};
    // Venues that are busy or upgrade answer with a list that has nothing.
    co_return lists_any(venue) ? Trouble{} : Trouble{"answer: it has none of the instruments that are asked for"};
  } catch (const std::exception& error) {  // whatever it was, it must not end the venue
    co_return Trouble{error.what()};
  }
}

}  // namespace

asio::awaitable<void> learn_instruments(Venue& venue, RestClient& rest, ListFailed on_failed) {
  Backoff backoff(std::random_device{}());
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    const Trouble trouble = co_await read_list(venue, rest, RestClient::Turn::first);
    if (trouble.reason.empty()) co_return;
    const auto wait = std::max(backoff.next(std::chrono::steady_clock::duration::zero()), trouble.wait);
    on_failed(trouble.reason, wait);
    timer.expires_after(wait);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

std::size_t say_unlisted(const Venue& venue, const VenueConfig& config) {
  std::size_t unlisted = 0;
  for (std::uint32_t i = 0; i < config.instruments.size(); ++i) {
    if (venue.is_listed(i)) continue;
    ++unlisted;
    log(config.venue, "the venue does not list " + config.instruments[i] + ", the others go on");
  }
  return unlisted;
}

asio::awaitable<void> learn_others(Venue& venue, RestClient& rest, const VenueConfig& config,
                                   std::chrono::nanoseconds silence, OthersListed on_listed) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  std::vector<std::uint32_t> known = listed_instruments(venue);
  ListPatience patience(silence);
  while (known.size() < config.instruments.size()) {
    timer.expires_after(patience.wait());
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    const Trouble trouble = co_await read_list(venue, rest, RestClient::Turn::last);
    if (trouble.reason.empty()) patience.grow();
    const std::vector<std::uint32_t> others = listed_besides(venue, known);
    known = listed_instruments(venue);
    for (const std::uint32_t i : others) log(config.venue, "the venue lists " + config.instruments[i] + " now");
    on_listed(others);
  }
}

}  // namespace livetape::bridge
