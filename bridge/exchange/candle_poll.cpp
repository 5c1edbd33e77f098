#include "exchange/candle_poll.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "core/log.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;

constexpr std::int64_t kSettleNs = 10'000'000'000;  // from a minute's end until the venue's candle is as it stays
constexpr std::int64_t kLatestNs = 5 * kMinuteNs;   // by which a minute that did not come is there, or never will be
constexpr std::chrono::seconds kAfterTrouble{5};

std::int64_t minute_of(std::int64_t time_ns) { return time_ns - time_ns % kMinuteNs; }

std::int64_t first_minute_behind(std::int64_t time_ns) { return minute_of(time_ns + kMinuteNs - 1); }

}  // namespace

CandlePoll::CandlePoll(asio::io_context& context, Venue& venue, RestClient& rest, CandleListener& listener,
                       VenueMetrics& metrics)
    : venue_(venue),
      rest_(rest),
      listener_(listener),
      metrics_(metrics),
      wake_(context),
      readings_(venue.instrument_count()) {}

void CandlePoll::begin(std::uint32_t instrument) {
  Reading& reading = readings_[instrument];
  reading.waits_for_clock = !reading.next_ns;
}

void CandlePoll::resume(std::uint32_t instrument, std::int64_t event_time_ns) {
  readings_[instrument].next_ns = first_minute_behind(event_time_ns);
}

/// The clock stays behind the venue's time, and a subscription takes a moment to work: an instrument's first minute
/// begins well behind both.
void CandlePoll::see_clock(std::int64_t time_ns) {
  const std::int64_t first_ns = first_minute_behind(time_ns + kSettleNs);
  std::size_t begun = 0;
  for (Reading& reading : readings_) {
    if (!std::exchange(reading.waits_for_clock, false)) continue;
    reading.next_ns = first_ns;
    ++begun;
  }
  if (begun > 0) {
    log(metrics_.venue,
        "its candles of " + std::to_string(begun) + " instruments are asked for from " + as_rfc3339(first_ns) + " on");
  }
  const std::int64_t settled_ns = minute_of(time_ns - kSettleNs) - kMinuteNs;
  if (settled_ns <= settled_ns_) return;
  settled_ns_ = settled_ns;
  wake_.cancel();
}

asio::awaitable<void> CandlePoll::run() {
  for (;;) {
    if (Clock::now() >= go_on_at_) {
      if (const auto instrument = next_due()) {
        co_await ask(*instrument);
        continue;
      }
    }
    wake_.expires_at(Clock::now() < go_on_at_ ? go_on_at_ : Clock::time_point::max());
    co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

/// The next instrument in turn that has a settled minute which was not asked for.
std::optional<std::uint32_t> CandlePoll::next_due() {
  for (std::size_t looked = 0; looked < readings_.size(); ++looked) {
    const auto instrument = static_cast<std::uint32_t>(turn_);
    turn_ = (turn_ + 1) % readings_.size();
    const Reading& reading = readings_[instrument];
    const bool is_due = reading.next_ns && *reading.next_ns <= settled_ns_ && reading.asked_ns < settled_ns_;
    if (is_due && venue_.is_listed(instrument)) return instrument;
  }
  return std::nullopt;
}

asio::awaitable<void> CandlePoll::ask(std::uint32_t instrument) {
  const std::int64_t first_ns = *readings_[instrument].next_ns;
  const std::int64_t last_ns = std::min(settled_ns_, first_ns + (CandleQuery::kMostMinutes - 1) * kMinuteNs);
  const CandleQuery query{instrument, first_ns, last_ns};
  ++metrics_.candle_requests;
  std::string trouble;
  std::chrono::milliseconds wait = kAfterTrouble;
  try {
    const RestAnswer answer = co_await rest_.get(venue_.candles_target(query), RestClient::Turn::last);
    trouble = take(query, answer);
    wait += answer.wait;                   // so that whoever looks for trades is first then
  } catch (const std::exception& error) {  // whatever it was, it must not end the venue
    trouble = error.what();
  }
  settle(query, trouble, wait);
}

/// Hands on what an answer has, and tells what is wrong with it. Where something came the next question is behind it: a
/// candle that cannot be read would be no better then.
std::string CandlePoll::take(const CandleQuery& query, const RestAnswer& answer) {
  page_.clear();
  std::string trouble = answer.error;
  if (trouble.empty()) {
    const DecodeError flaw = venue_.read_candles(answer.body, query, utc_now_ns(), page_);
    if (flaw != DecodeError::none) trouble = "answer: " + std::string(name_of(flaw));
  }
  if (!trouble.empty() && !answer.body.empty() && venue_.says_unlisted(answer.body)) trouble.clear();
  std::ranges::sort(page_, {}, &Candle::start_ns);
  for (const Candle& candle : page_) listener_.on_candle(candle);
  Reading& reading = readings_[query.instrument];
  if (!page_.empty()) reading.next_ns = page_.back().start_ns + kMinuteNs;
  if (!trouble.empty() && page_.empty()) return trouble;
  reading.next_ns = std::max(*reading.next_ns, query.last_ns + kMinuteNs - kLatestNs);
  reading.asked_ns = query.last_ns;
  return trouble;
}

/// Says once that candles cannot be read, and once that all can be again.
void CandlePoll::settle(const CandleQuery& query, const std::string& trouble, std::chrono::milliseconds wait) {
  const bool was_well = in_trouble_.empty();
  if (trouble.empty()) {
    in_trouble_.erase(query.instrument);
    if (!was_well && in_trouble_.empty()) log(metrics_.venue, "its candles can be read again");
    return;
  }
  ++metrics_.candle_failures;
  go_on_at_ = Clock::now() + wait;
  in_trouble_.insert(query.instrument);
  if (was_well) log(metrics_.venue, "its candles cannot be read, they are asked for again: " + trouble);
}

}  // namespace livetape::bridge
