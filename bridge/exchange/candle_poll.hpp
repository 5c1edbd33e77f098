#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/metrics.hpp"
#include "core/trade.hpp"
#include "exchange/rest_client.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Hears of a venue's own candles, from the venue's thread: each instrument's in the order of their minutes.
class CandleListener {
 public:
  virtual ~CandleListener() = default;
  virtual void on_candle(const Candle& candle) = 0;
};

/// Asks a venue for its own minutes of the instruments that are read, each once it is over by the venue's clock and has
/// had time to settle. The instruments take turns, within the venue's limits and behind whoever looks for trades: with
/// thousands of them a question brings the minutes of several.
class CandlePoll {
 public:
  CandlePoll(boost::asio::io_context& context, Venue& venue, RestClient& rest, CandleListener& listener,
             VenueMetrics& metrics);

  /// An instrument is read from now on: its first minute is the first that begins behind the venue's next clock.
  /// Nothing changes where it was read before.
  void begin(std::uint32_t instrument);
  /// The same of one that an earlier run has read up to this event time, and whose trades since then are fetched.
  void resume(std::uint32_t instrument, std::int64_t event_time_ns);
  /// The venue's clock.
  void see_clock(std::int64_t time_ns);
  /// Runs until its executor stops.
  boost::asio::awaitable<void> run();

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

  /// What of an instrument was asked for. Times are starts of minutes.
  struct Reading {
    bool waits_for_clock = false;
    std::optional<std::int64_t> next_ns;  // the first that did not come
    std::int64_t asked_ns = kNever;       // the last that was asked for
  };

  [[nodiscard]] std::optional<std::uint32_t> next_due();
  boost::asio::awaitable<void> ask(std::uint32_t instrument);
  [[nodiscard]] std::string take(const CandleQuery& query, const RestAnswer& answer);
  void settle(const CandleQuery& query, const std::string& trouble, std::chrono::milliseconds wait);

  Venue& venue_;
  RestClient& rest_;
  CandleListener& listener_;
  VenueMetrics& metrics_;
  boost::asio::steady_timer wake_;
  std::vector<Reading> readings_;       // by instrument
  std::size_t turn_ = 0;                // of the instrument that is looked at next
  std::int64_t settled_ns_ = kNever;    // start of the last minute that is settled
  Clock::time_point go_on_at_;          // after trouble
  std::set<std::uint32_t> in_trouble_;  // instruments whose last question had no good answer
  std::vector<Candle> page_;
};

}  // namespace livetape::bridge
