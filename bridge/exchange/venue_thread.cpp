#include "exchange/venue_thread.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/log.hpp"
#include "core/thread.hpp"
#include "core/time.hpp"
#include "exchange/hold_bound.hpp"
#include "exchange/learn_instruments.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr milliseconds kRoomComes{1};   // in Kafka's ring, which is emptied as long as there is something in it
constexpr milliseconds kSettle{1'000};  // what a trade may take into the history, and a subscription to work

std::vector<Tape> tapes_of(const Venue& venue) {
  std::vector<Tape> tapes;
  for (std::size_t i = 0; i < venue.instrument_count(); ++i) tapes.emplace_back(venue.id_rule());
  return tapes;
}

}  // namespace

VenueThread::VenueThread(const VenueConfig& config, const Config& bridge, VenueMetrics& metrics)
    : config_(config),
      clock_interval_(bridge.clock_interval),
      patience_ns_(std::chrono::nanoseconds(bridge.silence).count()),
      clock_delay_ns_(std::chrono::nanoseconds(config.clock_delay).count()),
      metrics_(metrics),
      venue_(checked_venue(config.venue, config.instruments)),
      session_id_(random_session_id(bridge.namespace_mark)),
      errors_(bridge.errors_dir, config.venue),
      symbols_(bridge.positions_dir, config.venue, config.instruments),
      positions_(bridge.positions_dir, config_, tapes_, kafka_ring_, metrics),
      url_(parse_url("wss", config.url)),
      tls_(make_tls_context(config.ca_file, config.url)),
      rest_(config.rest_url, config.ca_file, venue_->history_rules().pace,
            [this](std::string_view body) { return venue_->refusal(body); }),
      tapes_(tapes_of(*venue_)),
      watches_(tapes_.size(), TradeWatch(patience_ns_)),
      quote_clock_(venue_->quote_lead_ns()),
      hold_rule_(tapes_.size()),
      kafka_(kafka_ring_, metrics.kafka_dropped, config.venue),
      backfill_(context_, *venue_, rest_, tapes_, *this, metrics_, kSettle),
      candles_(context_, *venue_, rest_, *this, metrics_) {
  positions_.resume();
  for (std::uint32_t i = 0; i < tapes_.size(); ++i) {
    if (tapes_[i].newest()) candles_.resume(i, tapes_[i].newest()->event_time_ns);
  }
}

VenueThread::~VenueThread() { stop(); }

void VenueThread::start() {
  asio::co_spawn(context_, open(), asio::detached);
  asio::co_spawn(context_, tick(), asio::detached);
  thread_ = start_thread(config_.venue, [this] { context_.run(); });
}

void VenueThread::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
  for (const std::uint32_t instrument : std::vector(holding_)) release(instrument);  // nothing waits beyond the end
  while (!holding_.empty()) {
    std::this_thread::sleep_for(kRoomComes);
    for (const std::uint32_t instrument : std::vector(holding_)) hand_over(instrument);
  }
}

/// Nothing can be subscribed to before it is known how the venue calls the instruments. While it does not say so, as
/// one that bars us from its REST API, they are called as in the last run: its stream is read all the same.
asio::awaitable<void> VenueThread::open() {
  std::vector<std::uint32_t> known;
  co_await learn_instruments(*venue_, rest_, [this, &known](std::string_view reason, milliseconds wait) {
    ++metrics_.failed_connects;
    log(config_.venue,
        "cannot read the instruments at " + config_.rest_url + ": " + std::string(reason) + next_attempt(wait));
    if (!known.empty() || !symbols_.name(*venue_)) return;
    known = listed_instruments(*venue_);
    log(config_.venue, "begins with the " + std::to_string(known.size()) + " instruments that the last run knew");
    begin(known);
  });
  metrics_.unlisted += say_unlisted(*venue_, config_);
  keep_symbols();
  if (known.empty()) {
    begin(listed_instruments(*venue_));
  } else {
    subscribe_to(listed_besides(*venue_, known));
  }
  co_await learn_others(*venue_, rest_, config_, std::chrono::nanoseconds(patience_ns_),
                        [this](std::span<const std::uint32_t> others) {
                          subscribe_to(others);
                          if (!others.empty()) keep_symbols();
                        });
}

void VenueThread::begin(std::span<const std::uint32_t> instruments) {
  subscribe_to(instruments);
  if (config_.has_candles) asio::co_spawn(context_, candles_.run(), asio::detached);
  asio::co_spawn(context_, backfill_.run(), asio::detached);
}

void VenueThread::keep_symbols() {
  if (!symbols_.keep(*venue_)) log(config_.venue, "the disk does not take how it calls the instruments");
}

void VenueThread::subscribe_to(std::span<const std::uint32_t> instruments) {
  for (ConnectionPlan& plan : plan_connections(*venue_, channels_of(config_), instruments)) {
    const bool has_trades = plan.has_trades();
    Feed& feed = feeds_.emplace_back(context_.get_executor(), plan.address(url_), tls_, *venue_,
                                     std::move(plan.subscriptions), static_cast<SessionListener&>(*this));
    feed.address = plan.address(config_.url);
    feed.has_trades = has_trades;
    feed.clock.emplace(clock_delay_ns_);
    feed.quotes.emplace(config_.instruments.size(), patience_ns_);
    asio::co_spawn(context_, feed.run(), asio::detached);
  }
}

void VenueThread::on_connected(Session& session) {
  ++metrics_.connects;
  ++metrics_.connected;
  const std::int64_t steady_ns = steady_now_ns();
  Feed& feed = feed_of(session);
  log(config_.venue, "connected to " + feed.address);
  feed.connected_ns = steady_ns;
  feed.is_refused = false;
  feed.quotes->begin(steady_ns);
  feed.answers.begin(waits_for_answers() ? messages_for(*venue_, feed.subscriptions(), true).size() : 0);
  for (const auto& [channel, instrument] : session.subscriptions()) {
    if (channel != Channel::trades) continue;
    Tape& tape = tapes_[instrument];
    watches_[instrument].begin(steady_ns);
    tape.open_doubt();
    if (tape.doubted()) hold(instrument, steady_ns);
  }
}

void VenueThread::on_subscribed(Session& session) {
  const std::int64_t steady_ns = steady_now_ns();
  Feed& feed = feed_of(session);
  feed.answers.sent(steady_ns);
  settle_subscriptions(feed, steady_ns);
}

/// A subscription may work long after it was sent. Where ids are contiguous the next trade tells what was missed until
/// then; elsewhere nothing would.
bool VenueThread::waits_for_answers() const { return venue_->id_rule() == IdRule::unordered; }

/// What the venue traded before the subscriptions worked is in its history soon after.
void VenueThread::settle_subscriptions(Feed& feed, std::int64_t steady_ns) {
  if (!feed.answers.settle(steady_ns)) return;
  const std::int64_t connected_ns = utc_now_ns() - (steady_ns - feed.connected_ns);
  const std::int64_t since_ns = connected_ns - VenueClock::kMostBehindOursNs;
  for (const auto& [channel, instrument] : feed.subscriptions()) {
    if (channel != Channel::trades) continue;
    Tape& tape = tapes_[instrument];
    candles_.begin(instrument);
    watches_[instrument].work(steady_ns);
    tape.close_doubt();
    if (tape.doubted()) backfill_.look_back(instrument);
    if (!tape.newest() && venue_->is_listed(instrument)) positions_.begin(instrument, since_ns);
  }
}

void VenueThread::on_disconnected(Session& session, std::string_view reason, milliseconds wait) {
  for (const auto& [channel, instrument] : session.subscriptions()) {
    if (channel == Channel::trades) tapes_[instrument].open_doubt();
  }
  lose_books(feed_of(session));
  --metrics_.connected;
  ++metrics_.disconnects;
  log(config_.venue, "connection lost: " + std::string(reason) + next_attempt(wait));
}

void VenueThread::on_failed(Session& session, std::string_view reason, milliseconds wait) {
  ++metrics_.failed_connects;
  log(config_.venue, "cannot connect to " + feed_of(session).address + ": " + std::string(reason) + next_attempt(wait));
}

void VenueThread::on_round_trip(Session& /*session*/, std::chrono::nanoseconds time) {
  metrics_.least_round_trip_ns = round_trips_.see(time.count(), steady_now_ns());
}

void VenueThread::on_frame(Session& session, std::string_view frame) {
  const std::int64_t receive_time_ns = utc_now_ns();
  ++metrics_.frames;
  Feed& feed = feed_of(session);
  const FrameResult result = venue_->decode(frame, receive_time_ns, decoded_);
  if (result.kind == FrameKind::error) on_error(result.error, receive_time_ns, frame);
  if (result.kind == FrameKind::ignored) ++metrics_.ignored;
  if (result.kind == FrameKind::reconnect) session.reconnect("the venue asks for another connection");
  if (result.kind == FrameKind::refused) {
    ++metrics_.refused_subscriptions;
    log(config_.venue, "the venue refused a subscription, the others go on: " + result.reason);
    on_refused(feed);
  }
  if (result.kind == FrameKind::subscribed || result.kind == FrameKind::refused) {
    feed.answers.take();
    settle_subscriptions(feed, steady_now_ns());
  }
  if (decoded_.trades.empty() && decoded_.quotes.empty()) return;
  const std::int64_t steady_ns = steady_now_ns();
  for (const Trade& trade : decoded_.trades) take(trade, feed, steady_ns);
  for (const Quote& quote : decoded_.quotes) take(quote, feed, steady_ns);
  metrics_.trades += decoded_.trades.size();
  metrics_.quotes += decoded_.quotes.size();
}

/// Which one was refused, or whether many were for the sake of one, is not always said: all that are silent are looked
/// into soon.
void VenueThread::on_refused(Feed& feed) {
  if (std::exchange(feed.is_refused, true)) return;
  const std::int64_t steady_ns = steady_now_ns();
  const std::int64_t soon_ns = std::chrono::nanoseconds(kSettle).count();
  feed.quotes->look_at(steady_ns + soon_ns);
  for (const auto& [channel, instrument] : feed.subscriptions()) {
    if (channel == Channel::trades) watches_[instrument].look_soon(steady_ns, soon_ns);
  }
}

VenueThread::Feed& VenueThread::feed_of(Session& session) noexcept {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-static-cast-downcast): a venue has no sessions but its feeds
  return static_cast<Feed&>(session);
}

void VenueThread::on_error(DecodeError error, std::int64_t receive_time_ns, std::string_view frame) {
  ++metrics_.decode_errors[static_cast<std::size_t>(error)];
  errors_.keep(receive_time_ns, name_of(error), frame);
}

void VenueThread::take(const Trade& trade, Feed& feed, std::int64_t steady_ns) {
  // One trade with a date in the far future must neither end every bar of the venue nor make a gap; the fold refuses it
  // as well.
  if (is_of_the_future(trade.event_time_ns, trade.receive_time_ns)) return publish_trade(trade);
  Tape& tape = tapes_[trade.instrument];
  watches_[trade.instrument].hear(steady_ns);
  if (!tape.newest()) positions_.begin(trade);
  if (tape.counts_anew(trade)) on_new_count(trade);
  const Verdict verdict = tape.take(trade);
  if (verdict == Verdict::duplicate) {
    ++metrics_.duplicates;
    return;
  }
  if (verdict == Verdict::after_gap) {
    hold(trade.instrument, steady_ns);
    backfill_.request(trade.instrument, milliseconds(0));
  }
  tell_unread(trade.instrument);
  publish_trade(trade);
  see(trade.event_time_ns, feed, steady_ns);
}

/// A quote that is missed is made good by the next one: nothing waits for it. The first one of a connection may stand
/// for long: behind the clock that went on without it, or behind the end of the connection before, it would count for
/// none of the trades that are still to come.
void VenueThread::take(const Quote& quote, Feed& feed, std::int64_t steady_ns) {
  Message message;
  message.kind = Message::Kind::quote;
  message.quote = quote;
  if (!quote.has_venue_time) {
    message.quote.event_time_ns = quote_clock_.time_ns(quote.receive_time_ns, steady_ns, told_ns_);
  } else if (told_ns_ && !feed.quotes->is_shown(quote.instrument)) {
    message.quote.event_time_ns = std::max(quote.event_time_ns, *told_ns_);
  }
  if (!feed.quotes->is_shown(quote.instrument)) {
    message.quote.event_time_ns = std::max(message.quote.event_time_ns, feed.books_lost_ns + 1);
  }
  feed.quotes->see(quote.instrument, steady_ns);
  send(message);
  const bool is_ahead = is_of_the_future(quote.event_time_ns, quote.receive_time_ns);
  if (quote.has_venue_time && !is_ahead) see(quote.event_time_ns, feed, steady_ns);
}

/// Says of each book that a lost connection has shown that nobody knows it: trades of the time until it is shown again
/// would be joined with what it was before.
void VenueThread::lose_books(Feed& feed) {
  Message message;
  message.kind = Message::Kind::quote;
  message.quote = {};
  message.quote.receive_time_ns = utc_now_ns();
  const std::int64_t heard_ns = std::min(steady_now_ns(), feed.quiet_until().time_since_epoch().count());
  message.quote.event_time_ns = quote_clock_.time_ns(message.quote.receive_time_ns, heard_ns, told_ns_) + 1;
  feed.books_lost_ns = message.quote.event_time_ns;
  for (const auto& [channel, instrument] : feed.subscriptions()) {
    if (channel != Channel::quotes || !feed.quotes->is_shown(instrument)) continue;
    message.quote.instrument = instrument;
    send(message);
  }
}

/// A time that the venue has told.
void VenueThread::see(std::int64_t event_time_ns, Feed& feed, std::int64_t steady_ns) noexcept {
  feed.clock->see(event_time_ns, steady_ns);
  quote_clock_.see(event_time_ns, steady_ns);
}

void VenueThread::on_history_answer(std::uint32_t instrument) { hold_rule_.see_answer(instrument, steady_now_ns()); }

void VenueThread::on_history_failure(std::uint32_t instrument) { hold_rule_.see_failure(instrument, steady_now_ns()); }

std::int64_t VenueThread::venue_time_ns(std::int64_t steady_ns) noexcept {
  return quote_clock_.venue_time_ns(steady_ns).value_or(utc_now_ns());
}

void VenueThread::on_history_trade(const Trade& trade) {
  ++metrics_.backfilled;
  const std::int64_t steady_ns = steady_now_ns();
  watches_[trade.instrument].find(trade.event_time_ns, venue_time_ns(steady_ns), steady_ns);
  Message message;
  message.trade = trade;
  send(message);
}

/// What is missing of the former count is looked for no more: its ids cannot be told from those of the new one.
void VenueThread::on_new_count(const Trade& first) {
  log(config_.venue, "the venue counts the trades of " + config_.instruments[first.instrument] +
                         " anew: " + std::to_string(first.seq) + " is newer than " +
                         std::to_string(tapes_[first.instrument].newest()->seq));
  for (const Gap& gap : tapes_[first.instrument].left_behind_by(first)) on_lost(gap);
}

void VenueThread::on_lost(const Gap& gap) {
  ++metrics_.gaps;
  if (gap.has_ids) metrics_.lost += static_cast<std::uint64_t>(gap.last_id - gap.first_id + 1);
  const std::string which =
      gap.has_ids ? " " + std::to_string(gap.first_id) + " to " + std::to_string(gap.last_id) : std::string();
  log(config_.venue,
      "trades" + which + " of " + config_.instruments[gap.instrument] + " are lost: " + std::string(gap.reason));
  Message message;
  message.kind = Message::Kind::gap;
  message.gap = gap;
  send(message);
}

void VenueThread::on_candle(const Candle& candle) {
  ++metrics_.candles;
  Message message;
  message.kind = Message::Kind::candle;
  message.candle = candle;
  send(message);
}

/// What comes of it still is late: bars are revised for it, and nothing waits.
void VenueThread::on_looked(std::uint32_t instrument) { release(instrument); }

/// Unless another gap was seen meanwhile, which is looked for next.
void VenueThread::on_settled(std::uint32_t instrument) {
  hold_rule_.forget(instrument);
  if (tapes_[instrument].is_whole()) release(instrument);
  tell_unread(instrument);
}

void VenueThread::tell_unread(std::uint32_t instrument) {
  if (const auto gap = positions_.unread(instrument)) on_lost(*gap);
}

/// To both at once: no gap holds it up.
void VenueThread::send(Message& message) {
  publish(message);
  kafka_.put(message);
}

/// Numbers a message and publishes it on ZeroMQ, which waits for nothing.
void VenueThread::publish(Message& message) {
  message.sequence = ++sequence_;
  if (message.kind == Message::Kind::trade) message.trade.publish_time_ns = utc_now_ns();
  publish_(message);
}

/// Kafka gets an instrument's trades in their order: those behind a gap wait until it is filled. Not where a relay
/// writes, which knows no order but that of the numbers.
void VenueThread::publish_trade(const Trade& trade) {
  Message message;
  message.trade = trade;
  publish(message);
  Tape& tape = tapes_[trade.instrument];
  if (!tape.held_since_ns() || config_.writer == Writer::relay) return kafka_.put(message);
  tape.held.push_back(message);
  if (++held_ > HoldBound::kMost) release_for_room();
}

void VenueThread::hold(std::uint32_t instrument, std::int64_t steady_ns) {
  Tape& tape = tapes_[instrument];
  const bool is_held = tape.held_since_ns().has_value();
  tape.hold(steady_ns);
  if (is_held) return;
  holding_.push_back(instrument);
  metrics_.holding = holding_.size();
}

void VenueThread::release(std::uint32_t instrument) {
  tapes_[instrument].release();
  hand_over(instrument);
}

/// What was released, in portions: there is to be room for other instruments' in Kafka's ring. The rest waits on, and
/// with it the clock.
void VenueThread::hand_over(std::uint32_t instrument, std::size_t least) {
  Tape& tape = tapes_[instrument];
  if (!tape.is_released()) return;
  tape.hand_over(std::max(kafka_ring_.room() / 2, least), [&](const Message& message) {
    kafka_.put(message);
    --held_;
  });
  if (tape.held_since_ns()) return;
  std::erase(holding_, instrument);
  metrics_.holding = holding_.size();
}

/// Too many wait. While those of an instrument are being handed over no other's are released.
void VenueThread::release_for_room() {
  const auto is_released = [&](std::uint32_t instrument) { return tapes_[instrument].is_released(); };
  if (const auto going = std::ranges::find_if(holding_, is_released); going != holding_.end()) {
    return hand_over(*going, 1);
  }
  const std::int64_t steady_ns = steady_now_ns();
  std::vector<HoldBound::Waiting> waiting;
  for (const std::uint32_t instrument : holding_) {
    waiting.push_back({instrument, tapes_[instrument].held.size(), behind_ns(instrument, steady_ns)});
  }
  const std::uint32_t instrument = HoldBound::first_to_go(waiting);
  ++metrics_.hold_overflows;
  log(config_.venue, "more than " + std::to_string(HoldBound::kMost) + " trades wait: those of " +
                         config_.instruments[instrument] + " go on with a gap that is not filled yet");
  release(instrument);
}

void VenueThread::release_overdue(std::int64_t steady_ns) {
  for (const std::uint32_t instrument : std::vector(holding_)) {
    const Tape& tape = tapes_[instrument];
    if (tape.is_released()) {
      hand_over(instrument);
      continue;
    }
    if (!hold_rule_.is_over(instrument, *tape.held_since_ns(), behind_ns(instrument, steady_ns), steady_ns)) continue;
    log(config_.venue, "trades of " + config_.instruments[instrument] + " go on with a gap that is not filled yet");
    release(instrument);
  }
}

/// How long ago the last trade before those that are missing happened. One that is hardly traded is not behind by all
/// that time, but by how long nobody read it.
std::int64_t VenueThread::behind_ns(std::uint32_t instrument, std::int64_t steady_ns) {
  const Tape& tape = tapes_[instrument];
  const auto before = tape.safe_until();
  const std::int64_t unread_ns = utc_now_ns() - tape.whole_at_ns;
  return before ? std::min(venue_time_ns(steady_ns) - before->event_time_ns, unread_ns) : 0;
}

asio::awaitable<void> VenueThread::tick() {
  asio::steady_timer timer(context_);
  for (;;) {
    timer.expires_after(clock_interval_);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    const std::int64_t steady_ns = steady_now_ns();
    watch(steady_ns);
    release_overdue(steady_ns);
    tell_clock(steady_ns);
    // Else the next run would begin behind what nobody was told of.
    if (!kafka_.owes_gaps()) positions_.keep(steady_ns);
  }
}

/// The clock rides in the stream of trades, so that nobody hears of a time before the trades that it speaks of.
void VenueThread::tell_clock(std::int64_t steady_ns) {
  const auto time_ns = clock_time_ns(steady_ns);
  if (!time_ns) return;
  told_ns_ = told_ns_ ? std::max(*told_ns_, *time_ns) : *time_ns;
  Message message;
  message.kind = Message::Kind::clock;
  message.clock_time_ns = *told_ns_;
  send(message);
  ++metrics_.clocks;
  if (config_.has_candles) candles_.see_clock(*told_ns_);
}

/// The least that any connection tells, and no later than the last trade before those that wait. It stands still while
/// a connection that trades come by is away, or may be: those of that time may still come. Of quotes none comes again.
std::optional<std::int64_t> VenueThread::clock_time_ns(std::int64_t steady_ns) {
  std::optional<std::int64_t> least_ns;
  for (Feed& feed : feeds_) {
    if (told_ns_ && feed.connected_ns == 0) continue;  // of what was listed later: nothing of it was told yet
    if (!feed.is_connected() && !feed.has_trades) continue;
    if (!feed.is_connected()) return std::nullopt;
    const std::int64_t quiet_until_ns = feed.quiet_until().time_since_epoch().count();
    const auto time_ns = feed.clock->time_ns(std::min(steady_ns, quiet_until_ns));
    if (time_ns && (!least_ns || *time_ns < *least_ns)) least_ns = time_ns;
  }
  if (!least_ns) return std::nullopt;
  for (const std::uint32_t instrument : holding_) {
    if (const auto before = tapes_[instrument].safe_until()) least_ns = std::min(*least_ns, before->event_time_ns);
  }
  return least_ns;
}

/// Looks for instruments that are silent though the venue trades them, and for quotes that are. Those of hundreds of
/// instruments take a while, at the venue's pace: they come one by one, behind all that trades need.
void VenueThread::watch(std::int64_t steady_ns) {
  for (Feed& feed : feeds_) {
    if (!feed.is_connected()) continue;
    settle_subscriptions(feed, steady_ns);
    for (const Subscription& subscription : feed.subscriptions()) {
      if (subscription.channel == Channel::trades) watch(feed, subscription, steady_ns);
    }
    if (feed.is_idle()) watch_quotes(feed, steady_ns);
  }
}

void VenueThread::watch_quotes(Feed& feed, std::int64_t steady_ns) {
  if (const auto silent = feed.quotes->next(feed.subscriptions(), steady_ns)) return feed.subscribe(*silent);
  for (const Subscription& subscription : feed.subscriptions()) {
    const auto [channel, instrument] = subscription;
    if (channel != Channel::quotes) continue;
    if (!feed.quotes->is_dead(instrument, watches_[instrument].traded_ns(), steady_ns)) continue;
    ++metrics_.dead_subscriptions;
    log(config_.venue,
        "the quotes of " + config_.instruments[instrument] + " have ended: they are subscribed to again");
    return feed.resubscribe(subscription);
  }
}

void VenueThread::watch(Feed& feed, const Subscription& subscription, std::int64_t steady_ns) {
  Tape& tape = tapes_[subscription.instrument];
  if (!tape.newest()) return;
  switch (watches_[subscription.instrument].next(steady_ns)) {
    case TradeWatch::Step::nothing:
      return;
    case TradeWatch::Step::ask:
      tape.doubt();
      return backfill_.request(subscription.instrument, milliseconds(0));
    case TradeWatch::Step::revive:
      if (feed.is_idle()) revive(feed, subscription, steady_ns);  // one by one: from when it is sent it is to work
  }
}

/// The history has trades that the stream did not show: the subscription is dead.
void VenueThread::revive(Feed& feed, const Subscription& subscription, std::int64_t steady_ns) {
  ++metrics_.dead_subscriptions;
  const std::string which = "the subscription to " + config_.instruments[subscription.instrument] + " is dead";
  switch (watches_[subscription.instrument].revive(steady_ns)) {
    case TradeWatch::Cure::connect:
      return feed.reconnect(which + ", and making it again did not help");
    case TradeWatch::Cure::subscribe:
      log(config_.venue, which + ": it is made again");
      break;
    case TradeWatch::Cure::give_up:
      log(config_.venue,
          which + ", and another connection did not help: its trades come from the history, the others go on");
      break;
    case TradeWatch::Cure::keep_trying:
      break;
  }
  resubscribe(feed, subscription, steady_ns);
}

void VenueThread::resubscribe(Feed& feed, const Subscription& subscription, std::int64_t steady_ns) {
  feed.resubscribe(subscription);
  Tape& tape = tapes_[subscription.instrument];
  if (waits_for_answers()) {
    tape.open_doubt();
    feed.answers.sent_another(steady_ns);
    return;
  }
  watches_[subscription.instrument].work(steady_ns);
  tape.doubt();  // what is traded until it works
  backfill_.request(subscription.instrument, kSettle);
}

}  // namespace livetape::bridge
