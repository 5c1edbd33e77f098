#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/metrics.hpp"
#include "exchange/range_patience.hpp"
#include "exchange/rest_client.hpp"
#include "exchange/tape.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Hears of what a venue's history had, from the venue's thread.
class BackfillListener {
 public:
  virtual ~BackfillListener() = default;
  /// The history has answered, whatever it has of the instrument.
  virtual void on_history_answer(std::uint32_t instrument) = 0;
  /// It was asked for the instrument, and gave no answer that can be read.
  virtual void on_history_failure(std::uint32_t instrument) = 0;
  /// A trade that had not come.
  virtual void on_history_trade(const Trade& trade) = 0;
  /// The history's next trade is the first of a count that the venue has begun anew.
  virtual void on_new_count(const Trade& first) = 0;
  /// Trades that cannot be had.
  virtual void on_lost(const Gap& gap) = 0;
  /// What is there of the instrument was had; only what a later answer may have is looked for still.
  virtual void on_looked(std::uint32_t instrument) = 0;
  /// Nothing of the instrument is looked for any more.
  virtual void on_settled(std::uint32_t instrument) = 0;
};

/// Fetches trades that did not come from a venue's history over REST, an instrument at a time, within the venue's
/// limits. What the history does not have after a while, or cannot be asked for in some minutes, is given up as a gap.
class Backfill {
 public:
  using Clock = std::chrono::steady_clock;

  /// `tapes` has all of the venue's instruments; `settle` is the time that a trade may take from the stream into the
  /// history.
  Backfill(boost::asio::io_context& context, Venue& venue, RestClient& rest, std::vector<Tape>& tapes,
           BackfillListener& listener, VenueMetrics& metrics, std::chrono::milliseconds settle);

  /// An instrument's trades are shown from now on: looks for those from before, in a moment, and where an answer may be
  /// of an earlier time again, until one cannot be.
  void look_back(std::uint32_t instrument);
  /// Looks for what is missing of an instrument, `after` some time; at the earlier of two times when asked twice.
  void request(std::uint32_t instrument, std::chrono::milliseconds after);
  /// Runs until its executor stops.
  boost::asio::awaitable<void> run();

 private:
  struct Work {
    std::uint32_t instrument = 0;
    Clock::time_point due;
  };
  /// What is known of an instrument that trades are looked for of. Times are steady nanoseconds.
  struct Search {
    RangePatience patience;                  // with what the history does not have
    std::optional<std::int64_t> since_ns{};  // when something was had of it last, or when it began
    std::int64_t settles_from_ns = 0;        // from when on an answer has all that was not shown
  };
  /// When to try again; nothing when there is no need.
  using Again = std::optional<std::chrono::milliseconds>;

  std::vector<Work>::iterator next_work();
  [[nodiscard]] bool is_urgent(std::uint32_t instrument);
  boost::asio::awaitable<Again> fill(std::uint32_t instrument);
  boost::asio::awaitable<Again> fill_numbered(std::uint32_t instrument);
  boost::asio::awaitable<Again> fill_unnumbered(std::uint32_t instrument);
  Again wait_for_later(std::uint32_t instrument);
  boost::asio::awaitable<bool> fill_beginning(std::uint32_t instrument);
  boost::asio::awaitable<Again> fill_tail(std::uint32_t instrument);
  boost::asio::awaitable<bool> ask(HistoryQuery query);
  [[nodiscard]] std::uint64_t count_of(std::uint32_t instrument);
  std::string read(const RestAnswer& answer, const HistoryQuery& query);
  [[nodiscard]] Again unsettled(const Tape& tape) const;
  void say_flaw(DecodeError flaw);
  [[nodiscard]] std::int64_t complete_since_ns(const HistoryQuery& query) const;
  void take_page(std::uint32_t instrument);
  [[nodiscard]] bool has_newer(const MissingIds& range) const;
  void give_up_all(std::uint32_t instrument, std::string_view reason);
  void lose(std::uint32_t instrument, const MissingIds& range, std::string_view reason);
  void say_trouble(const std::string& trouble, std::chrono::milliseconds wait);

  Venue& venue_;
  RestClient& rest_;
  std::vector<Tape>& tapes_;
  BackfillListener& listener_;
  VenueMetrics& metrics_;
  std::chrono::milliseconds settle_;
  boost::asio::steady_timer wake_;
  std::vector<Work> work_;
  std::vector<Search> searches_;  // by instrument
  std::vector<Trade> page_;
  DecodeError page_flaw_ = DecodeError::none;  // the first of its trades that could not be read
  DecodeError told_flaw_ = DecodeError::none;
  std::string last_trouble_;
};

}  // namespace livetape::bridge
