#include "exchange/backfill.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <tuple>
#include <utility>

#include "core/log.hpp"
#include "core/time.hpp"
#include "exchange/rest_limits.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr int kPagesInATurn = 50;  // then other instruments have theirs
constexpr milliseconds kAfterTrouble{2'000};
constexpr std::int64_t kLongestLagNs = 3'600'000'000'000;  // of a venue's event times behind our clock

constexpr std::string_view kNotInHistory = "the venue's history does not have them";
constexpr std::string_view kHistoryTooShort = "the venue's history does not go back that far";
constexpr std::string_view kNoAnswer = "the venue's history could not be read for ten minutes";

/// What makes a page of no use, though each of its trades can be read. Nothing when it is good.
std::string_view flaw_of(std::span<const Trade> page, const HistoryQuery& query) {
  const auto is_foreign = [&](const Trade& trade) { return trade.instrument != query.instrument; };
  if (std::ranges::any_of(page, is_foreign)) return "it has trades of another instrument";
  const auto is_ahead = [](const Trade& trade) { return is_of_the_future(trade.event_time_ns, trade.receive_time_ns); };
  if (std::ranges::any_of(page, is_ahead)) return "it has trades of the future";
  return {};
}

}  // namespace

Backfill::Backfill(asio::io_context& context, Venue& venue, RestClient& rest, std::vector<Tape>& tapes,
                   BackfillListener& listener, VenueMetrics& metrics, milliseconds settle)
    : venue_(venue),
      rest_(rest),
      tapes_(tapes),
      listener_(listener),
      metrics_(metrics),
      settle_(settle),
      wake_(context),
      searches_(tapes.size(), Search{RangePatience(settle)}) {}

void Backfill::look_back(std::uint32_t instrument) {
  const std::chrono::nanoseconds until_settled = settle_ + venue_.history_rules().age;
  searches_[instrument].settles_from_ns = steady_now_ns() + until_settled.count();
  request(instrument, settle_);
}

void Backfill::request(std::uint32_t instrument, milliseconds after) {
  const auto due = Clock::now() + after;
  const auto known = std::ranges::find(work_, instrument, &Work::instrument);
  if (known == work_.end()) {
    work_.push_back({instrument, due});
  } else {
    known->due = std::min(known->due, due);
  }
  wake_.cancel();
}

/// Of those that are due, first an instrument that lacks trades for certain, or holds some: what is only silent can
/// wait.
std::vector<Backfill::Work>::iterator Backfill::next_work() {
  const auto now = Clock::now();
  return std::ranges::min_element(work_, {}, [&](const Work& work) {
    const bool is_due = work.due <= now;
    return std::tuple(!is_due, is_due && !is_urgent(work.instrument), work.due);
  });
}

bool Backfill::is_urgent(std::uint32_t instrument) {
  Tape& tape = tapes_[instrument];
  return tape.held_since_ns() || (tape.numbered() != nullptr && !tape.numbered()->missing().empty());
}

asio::awaitable<void> Backfill::run() {
  for (;;) {
    const auto next = next_work();
    const auto due = next == work_.end() ? Clock::time_point::max() : next->due;
    if (due > Clock::now()) {
      wake_.expires_at(due);
      co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    const std::uint32_t instrument = next->instrument;
    work_.erase(next);
    Again again;
    try {
      again = co_await fill(instrument);
    } catch (const std::exception& error) {  // whatever it was, it must not end the venue
      say_trouble(error.what(), kAfterTrouble);
      again = kAfterTrouble;
    }
    if (again) {
      request(instrument, *again);
    } else {
      searches_[instrument].since_ns.reset();
      listener_.on_settled(instrument);
    }
  }
}

asio::awaitable<Backfill::Again> Backfill::fill(std::uint32_t instrument) {
  Tape& tape = tapes_[instrument];
  Search& search = searches_[instrument];
  if (!search.since_ns) search.since_ns = steady_now_ns();
  const bool may_ask = rest_.left_alone().count() == 0;
  Again again = tape.numbered() != nullptr ? co_await fill_numbered(instrument) : co_await fill_unnumbered(instrument);
  if (!again) co_return again;
  const std::chrono::nanoseconds looked_for(steady_now_ns() - *search.since_ns);
  if (may_ask && looked_for > kGiveUpAfter) {
    again.reset();
  } else if (const milliseconds wait = rest_.left_alone(); wait.count() > 0) {
    again = look_again(wait, looked_for);
  }
  if (!again) give_up_all(instrument, kNoAnswer);
  co_return again;
}

asio::awaitable<Backfill::Again> Backfill::fill_numbered(std::uint32_t instrument) {
  Tape& tape = tapes_[instrument];
  ContiguousIds& ids = *tape.numbered();
  const bool is_doubtful = tape.doubted() && !tape.is_doubt_open();
  if (is_doubtful) {
    if (const Again again = co_await fill_tail(instrument)) co_return again;
  }
  const bool is_newest_first = venue_.history_rules().order == HistoryRules::Order::newest_first;
  for (int pages = 0; !ids.missing().empty(); ++pages) {
    if (pages == kPagesInATurn) co_return milliseconds(0);
    const MissingIds range = is_newest_first ? ids.missing().back() : ids.missing().front();
    RangePatience& patience = searches_[instrument].patience;
    const std::chrono::nanoseconds wait = patience.wait(range, steady_now_ns());
    if (wait.count() > 0) co_return std::chrono::ceil<milliseconds>(wait);
    // With the one behind them, which shows that the history is not older.
    const HistoryQuery query{instrument, range.first, range.last + 1, range.from_time_ns, utc_now_ns()};
    if (!co_await ask(query)) co_return kAfterTrouble;
    take_page(instrument);
    if (std::ranges::find(ids.missing(), range) == ids.missing().end()) continue;
    if (patience.go_on(range, has_newer(range), steady_now_ns())) continue;
    if (const auto lost = ids.give_up(range.first)) lose(instrument, *lost, kNotInHistory);
  }
  co_return unsettled(tape);
}

/// Whether the page has trades behind a range.
bool Backfill::has_newer(const MissingIds& range) const {
  return std::ranges::any_of(page_, [&](const Trade& trade) { return trade.seq > range.last; });
}

/// A doubt that came meanwhile is looked into next; one that is open, when it is closed.
Backfill::Again Backfill::unsettled(const Tape& tape) const {
  return tape.doubted() && !tape.is_doubt_open() ? Again(settle_) : std::nullopt;
}

/// Asks what the history has behind the newest trade. There is doubt until that is all there.
asio::awaitable<Backfill::Again> Backfill::fill_tail(std::uint32_t instrument) {
  Tape& tape = tapes_[instrument];
  const std::uint64_t doubts = tape.doubts();
  const HistoryRules rules = venue_.history_rules();
  if (!tape.doubted()->has_seq && !co_await fill_beginning(instrument)) co_return kAfterTrouble;
  for (int pages = 0;; ++pages) {
    if (pages == kPagesInATurn) co_return milliseconds(0);
    const Trade newest = *tape.newest();
    if (!newest.has_seq) break;  // the history knows of none either
    if (!co_await ask({instrument, newest.seq + 1, std::nullopt, newest.event_time_ns, utc_now_ns()})) {
      co_return kAfterTrouble;
    }
    const bool may_be_full = page_.size() >= rules.page || page_flaw_ != DecodeError::none;
    const bool may_be_more = rules.order == HistoryRules::Order::oldest_first && may_be_full;
    take_page(instrument);
    if (!may_be_more || tape.newest()->seq == newest.seq) break;
  }
  tape.settle_doubt(doubts);
  co_return std::nullopt;
}

/// Asks for what was traded since an instrument is shown of which no trade had come, page by page back to there. False
/// when it could not be asked, or not for all of it yet.
asio::awaitable<bool> Backfill::fill_beginning(std::uint32_t instrument) {
  Tape& tape = tapes_[instrument];
  ContiguousIds& ids = *tape.numbered();
  const HistoryRules rules = venue_.history_rules();
  const auto page = static_cast<std::int64_t>(rules.page);
  const std::int64_t since_ns = tape.doubted()->event_time_ns;
  for (int pages = 0; pages < kPagesInATurn; ++pages) {
    const std::optional<std::int64_t> before = rules.is_by_time ? std::nullopt : ids.oldest();
    HistoryQuery query{instrument, std::nullopt, std::nullopt, since_ns, utc_now_ns()};
    if (before) {
      query.first_id = std::max<std::int64_t>(*before - page, 0);
      query.last_id = *before - 1;
    }
    if (!co_await ask(query)) co_return false;
    const bool is_full = page_.size() >= rules.page || page_flaw_ != DecodeError::none;
    const bool reaches_back = std::erase_if(page_, [&](const Trade& one) { return one.event_time_ns < since_ns; }) > 0;
    if (page_.empty()) co_return true;
    const std::int64_t first = std::ranges::min_element(page_, {}, &Trade::seq)->seq;
    ids.reach_back(first, since_ns);
    take_page(instrument);
    const bool is_older = !before || first < *before;
    if (!is_full || reaches_back || rules.is_by_time || !is_older) co_return true;
  }
  co_return false;
}

asio::awaitable<Backfill::Again> Backfill::fill_unnumbered(std::uint32_t instrument) {
  Tape& tape = tapes_[instrument];
  if (!tape.doubted()) co_return std::nullopt;
  const std::uint64_t doubts = tape.doubts();
  const Trade before = *tape.doubted();
  const HistoryQuery query{instrument, 0, std::nullopt, before.event_time_ns, utc_now_ns()};
  const bool is_last = steady_now_ns() >= searches_[instrument].settles_from_ns;
  if (!co_await ask(query)) co_return kAfterTrouble;
  const auto is_before = [&](const Trade& trade) { return trade.id.view() == before.id.view(); };
  const std::int64_t since_ns = complete_since_ns(query);
  // An instrument that has not been traded for days has no trade in any history; the last question has to do.
  const std::int64_t known_until_ns = std::max(before.event_time_ns, tape.whole_at_ns - kLongestLagNs);
  const bool is_complete = std::ranges::any_of(page_, is_before) || since_ns <= known_until_ns;
  // What is older than the last trade came before it, though its id may be forgotten.
  std::erase_if(page_, [&](const Trade& trade) {
    return trade.event_time_ns + venue_.history_resolution_ns() <= before.event_time_ns;
  });
  take_page(instrument);
  // Where there is another doubt by now, who settles that tells of all that is lost.
  if (!tape.can_settle(doubts)) co_return unsettled(tape);
  const bool has_newer = !page_.empty() && page_.back().event_time_ns > before.event_time_ns;
  if (!is_complete && (is_last || has_newer)) {
    listener_.on_lost({instrument, false, 0, 0, known_until_ns, since_ns, kHistoryTooShort});
  }
  if (!is_last) co_return wait_for_later(instrument);
  tape.settle_doubt(doubts);
  tape.whole_at_ns = query.now_ns;
  co_return std::nullopt;
}

/// An answer has all that there was when it was made: of what is behind its newest trade a later one tells.
Backfill::Again Backfill::wait_for_later(std::uint32_t instrument) {
  if (!page_.empty()) tapes_[instrument].narrow_doubt(page_.back());
  listener_.on_looked(instrument);
  const std::chrono::nanoseconds left(searches_[instrument].settles_from_ns - steady_now_ns());
  return std::max(std::chrono::ceil<milliseconds>(left), milliseconds(0));
}

/// Asks the history for a page. False when there is no answer that can be read, or the venue wants to be left alone.
asio::awaitable<bool> Backfill::ask(HistoryQuery query) {
  if (rest_.left_alone().count() > 0) co_return false;
  ++metrics_.history_requests;
  // A history that knows no pages answers a whole stretch of time at once.
  const bool has_pages = venue_.history_rules().page > 0;
  const std::size_t most_bytes = has_pages ? RestClient::kMaxAnswerBytes : RestClient::kMaxListBytes;
  // Thousands may be silent: candles and lists are asked for between them.
  const auto turn = is_urgent(query.instrument) ? RestClient::Turn::first : RestClient::Turn::last;
  const std::uint64_t count = count_of(query.instrument);
  const RestAnswer answer = co_await rest_.get(venue_.history_target(query), turn, most_bytes);
  const std::string trouble = read(answer, query);
  if (count != count_of(query.instrument)) page_.clear();
  if (trouble.empty()) {
    searches_[query.instrument].since_ns = steady_now_ns();  // it can be read, whatever it has
    listener_.on_history_answer(query.instrument);
  } else {
    ++metrics_.history_failures;
    listener_.on_history_failure(query.instrument);
  }
  say_trouble(trouble, std::max<milliseconds>(kAfterTrouble, answer.wait));
  co_return trouble.empty();
}

/// Which of the venue's counts the ids are of, where they are contiguous: those of a former one tell nothing now.
std::uint64_t Backfill::count_of(std::uint32_t instrument) {
  const auto* const ids = tapes_[instrument].numbered();
  return ids == nullptr ? 0 : ids->new_counts();
}

/// Takes an answer for the page. What makes it of no use; nothing when it is good.
std::string Backfill::read(const RestAnswer& answer, const HistoryQuery& query) {
  page_.clear();
  page_flaw_ = DecodeError::none;
  std::string trouble = answer.error;
  if (trouble.empty()) {
    const DecodeError error = venue_.read_history(answer.body, query, utc_now_ns(), page_);
    const bool is_answer = error == DecodeError::none || (error != DecodeError::malformed_json && !page_.empty());
    const std::string_view flaw = is_answer ? flaw_of(page_, query) : name_of(error);
    if (!flaw.empty()) trouble = "answer: " + std::string(flaw);
    page_flaw_ = error;
    if (is_answer && error != DecodeError::none) say_flaw(error);
  }
  if (trouble.empty() || answer.body.empty() || !venue_.says_unlisted(answer.body)) return trouble;
  page_.clear();  // nothing is traded of it, which is an answer
  page_flaw_ = DecodeError::none;
  return {};
}

/// A trade that cannot be read is missing for good, and no reason to do without all others.
void Backfill::say_flaw(DecodeError flaw) {
  ++metrics_.decode_errors[static_cast<std::size_t>(flaw)];
  if (flaw == std::exchange(told_flaw_, flaw)) return;
  log(metrics_.venue, "a trade of the history cannot be read, the others are taken: " + std::string(name_of(flaw)));
}

/// Since when a page has all trades. Of one with trades that cannot be read nobody knows whether it was full.
std::int64_t Backfill::complete_since_ns(const HistoryQuery& query) const {
  if (page_flaw_ == DecodeError::none || venue_.history_rules().page == 0) {
    return venue_.complete_since_ns(query, page_);
  }
  return behind_oldest_ns(page_);
}

void Backfill::take_page(std::uint32_t instrument) {
  Tape& tape = tapes_[instrument];
  // Trades of one time that no number orders are in the order of the page.
  if (venue_.history_rules().order == HistoryRules::Order::newest_first) std::ranges::reverse(page_);
  std::ranges::stable_sort(page_, {}, [](const Trade& trade) { return std::pair(trade.seq, trade.event_time_ns); });
  for (Trade& trade : page_) {
    trade.source = Source::backfill;
    if (tape.counts_anew(trade)) listener_.on_new_count(trade);
    if (tape.take(trade) == Verdict::duplicate) continue;
    searches_[instrument].since_ns = steady_now_ns();  // it goes on
    listener_.on_history_trade(trade);
  }
}

void Backfill::give_up_all(std::uint32_t instrument, std::string_view reason) {
  Tape& tape = tapes_[instrument];
  auto* const ids = tape.numbered();
  if (ids != nullptr) {
    while (!ids->missing().empty()) lose(instrument, *ids->give_up(ids->missing().front().first), reason);
  }
  const auto before = tape.doubted();
  // Where ids go on from the last trade before the doubt they have told what is missing, and the next one will.
  const bool do_ids_tell = ids != nullptr && before && before->has_seq && before->seq <= tape.newest()->seq;
  if (before && !do_ids_tell && !tape.is_doubt_open()) {
    listener_.on_lost({instrument, false, 0, 0, before->event_time_ns, tape.newest()->event_time_ns, reason});
  }
  tape.settle_doubt(tape.doubts());
}

void Backfill::lose(std::uint32_t instrument, const MissingIds& range, std::string_view reason) {
  listener_.on_lost({instrument, true, range.first, range.last, range.from_time_ns, range.to_time_ns, reason});
}

/// Says what is wrong with the history once, and once that it is well again.
void Backfill::say_trouble(const std::string& trouble, milliseconds wait) {
  if (trouble == last_trouble_) return;
  last_trouble_ = trouble;
  log(metrics_.venue, trouble.empty() ? "the history can be read again"
                                      : "the history cannot be read, next attempt in " + std::to_string(wait.count()) +
                                            " ms: " + trouble);
}

}  // namespace livetape::bridge
