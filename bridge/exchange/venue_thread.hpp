#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <deque>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/config.hpp"
#include "core/error_file.hpp"
#include "core/least_lag.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "core/quote_clock.hpp"
#include "core/ring_writer.hpp"
#include "core/trade.hpp"
#include "core/venue_clock.hpp"
#include "exchange/backfill.hpp"
#include "exchange/candle_poll.hpp"
#include "exchange/hold_rule.hpp"
#include "exchange/position_keeper.hpp"
#include "exchange/quote_watch.hpp"
#include "exchange/rest_client.hpp"
#include "exchange/session.hpp"
#include "exchange/subscription_answers.hpp"
#include "exchange/symbol_file.hpp"
#include "exchange/tape.hpp"
#include "exchange/trade_watch.hpp"

namespace livetape::bridge {

/// One venue's thread: reads frames, finds out which trades did not come and fetches them, asks for the venue's own
/// candles, numbers all that and the venue's clocks, publishes it at once, and puts it into Kafka's ring.
class VenueThread final : SessionListener, BackfillListener, CandleListener {
 public:
  /// Throws std::runtime_error for a venue without a client, or an address or file that is of no use.
  VenueThread(const VenueConfig& config, const Config& bridge, VenueMetrics& metrics);
  ~VenueThread() override;
  VenueThread(const VenueThread&) = delete;
  VenueThread& operator=(const VenueThread&) = delete;

  void start();
  void stop();

  /// What it gives the publishers; valid as long as it is there itself.
  [[nodiscard]] MessageSource source() noexcept {
    return {std::make_shared<Instruments>(config_.venue, config_.instruments), session_id_, &kafka_ring_,
            [this](PublishAtOnce publish) { publish_ = std::move(publish); }, config_.has_quotes};
  }

 private:
  static constexpr std::size_t kRingMessages = std::size_t{1} << 16;

  /// A connection, and the venue's time as it tells it.
  struct Feed : Session {
    using Session::Session;
    std::string address;
    bool has_trades = false;
    std::optional<VenueClock> clock;
    std::optional<QuoteWatch> quotes;
    SubscriptionAnswers answers;
    std::int64_t connected_ns = 0;                                          // by steady time
    std::int64_t books_lost_ns = std::numeric_limits<std::int64_t>::min();  // by the venue's, with the last connection
    bool is_refused = false;                                                // a subscription, since then
  };

  void on_connected(Session& session) override;
  void on_subscribed(Session& session) override;
  void on_disconnected(Session& session, std::string_view reason, std::chrono::milliseconds wait) override;
  void on_failed(Session& session, std::string_view reason, std::chrono::milliseconds wait) override;
  void on_round_trip(Session& session, std::chrono::nanoseconds time) override;
  void on_frame(Session& session, std::string_view frame) override;
  void on_history_answer(std::uint32_t instrument) override;
  void on_history_failure(std::uint32_t instrument) override;
  void on_history_trade(const Trade& trade) override;
  void on_new_count(const Trade& first) override;
  void on_lost(const Gap& gap) override;
  void on_looked(std::uint32_t instrument) override;
  void on_settled(std::uint32_t instrument) override;
  void on_candle(const Candle& candle) override;

  [[nodiscard]] static Feed& feed_of(Session& session) noexcept;
  void on_refused(Feed& feed);
  [[nodiscard]] bool waits_for_answers() const;
  void settle_subscriptions(Feed& feed, std::int64_t steady_ns);
  boost::asio::awaitable<void> open();
  void begin(std::span<const std::uint32_t> instruments);
  void keep_symbols();
  void subscribe_to(std::span<const std::uint32_t> instruments);
  boost::asio::awaitable<void> tick();
  void on_error(DecodeError error, std::int64_t receive_time_ns, std::string_view frame);
  void take(const Trade& trade, Feed& feed, std::int64_t steady_ns);
  void take(const Quote& quote, Feed& feed, std::int64_t steady_ns);
  void lose_books(Feed& feed);
  void see(std::int64_t event_time_ns, Feed& feed, std::int64_t steady_ns) noexcept;
  /// The venue's, or ours while it has told none.
  [[nodiscard]] std::int64_t venue_time_ns(std::int64_t steady_ns) noexcept;
  void send(Message& message);
  void publish(Message& message);
  void publish_trade(const Trade& trade);
  void tell_unread(std::uint32_t instrument);
  void hold(std::uint32_t instrument, std::int64_t steady_ns);
  void release(std::uint32_t instrument);
  void release_overdue(std::int64_t steady_ns);
  void release_for_room();
  void hand_over(std::uint32_t instrument, std::size_t least = 0);
  [[nodiscard]] std::int64_t behind_ns(std::uint32_t instrument, std::int64_t steady_ns);
  void tell_clock(std::int64_t steady_ns);
  [[nodiscard]] std::optional<std::int64_t> clock_time_ns(std::int64_t steady_ns);
  void watch(std::int64_t steady_ns);
  void watch(Feed& feed, const Subscription& subscription, std::int64_t steady_ns);
  void watch_quotes(Feed& feed, std::int64_t steady_ns);
  void revive(Feed& feed, const Subscription& subscription, std::int64_t steady_ns);
  void resubscribe(Feed& feed, const Subscription& subscription, std::int64_t steady_ns);

  VenueConfig config_;
  std::chrono::milliseconds clock_interval_;
  std::int64_t patience_ns_;  // how long an instrument may be silent at first
  std::int64_t clock_delay_ns_;
  VenueMetrics& metrics_;
  LeastLag round_trips_;
  std::unique_ptr<Venue> venue_;
  SessionId session_id_;
  ErrorFile errors_;
  SymbolFile symbols_;
  PositionKeeper positions_;
  Url url_;
  boost::asio::ssl::context tls_;
  RestClient rest_;
  std::vector<Tape> tapes_;  // by instrument, as are those behind it
  std::vector<TradeWatch> watches_;
  std::vector<std::uint32_t> holding_;   // instruments whose newer trades wait for what is missing
  std::size_t held_ = 0;                 // how many trades wait
  std::optional<std::int64_t> told_ns_;  // the last clock
  QuoteClock quote_clock_;
  HoldRule hold_rule_;
  std::uint64_t sequence_ = 0;
  Decoded decoded_;
  MessageRing kafka_ring_{kRingMessages};
  RingWriter kafka_;
  PublishAtOnce publish_;
  boost::asio::io_context context_{1};  // before those whose timers know it
  Backfill backfill_;
  CandlePoll candles_;
  std::deque<Feed> feeds_;
  std::thread thread_;
};

}  // namespace livetape::bridge
