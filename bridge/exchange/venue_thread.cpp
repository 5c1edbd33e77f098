#include "exchange/venue_thread.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

#include "core/log.hpp"
#include "core/thread.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;

constexpr std::int64_t kMaxAheadNs = 60'000'000'000;

std::unique_ptr<Venue> checked_venue(const VenueConfig& config) {
  auto venue = make_venue(config.venue, config.instruments);
  if (venue == nullptr) throw std::runtime_error("no client for venue " + config.venue + ": known are binance, kraken");
  return venue;
}

}  // namespace

VenueThread::VenueThread(const VenueConfig& config, const Config& bridge, VenueMetrics& metrics)
    : config_(config),
      clock_interval_(bridge.clock_interval),
      metrics_(metrics),
      venue_(checked_venue(config)),
      session_id_(random_session_id()),
      errors_(bridge.errors_dir, config.venue),
      clock_(std::chrono::nanoseconds(config.clock_delay).count()),
      session_(config.url, config.ca_file, *venue_, *this) {}

VenueThread::~VenueThread() { stop(); }

void VenueThread::start() {
  asio::co_spawn(context_, session_.run(), asio::detached);
  asio::co_spawn(context_, tick(), asio::detached);
  thread_ = start_thread(config_.venue, [this] { context_.run(); });
}

void VenueThread::stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void VenueThread::on_connected() {
  ++metrics_.connects;
  metrics_.connected = 1;
  log(config_.venue, "connected to " + config_.url);
}

void VenueThread::on_disconnected(std::string_view reason, std::chrono::milliseconds wait) {
  const bool was_connected = metrics_.connected.exchange(0) != 0;
  ++(was_connected ? metrics_.disconnects : metrics_.failed_connects);
  log(config_.venue, (was_connected ? "connection lost: " : "cannot connect to " + config_.url + ": ") +
                         std::string(reason) + "; next attempt in " + std::to_string(wait.count()) + " ms");
}

void VenueThread::on_frame(std::string_view frame) {
  const std::int64_t receive_time_ns = utc_now_ns();
  ++metrics_.frames;
  const FrameResult result = venue_->decode(frame, receive_time_ns, trades_);
  if (result.kind == FrameKind::error) on_error(result.error, receive_time_ns, frame);
  if (result.kind == FrameKind::ignored) ++metrics_.ignored;
  if (result.kind == FrameKind::refused) {
    ++metrics_.refused_subscriptions;
    log(config_.venue, "the venue refused a subscription, the others go on: " + result.reason);
  }
  if (trades_.empty()) return;
  const std::int64_t steady_ns = steady_now_ns();
  for (const Trade& trade : trades_) {
    Message message;
    message.trade = trade;
    publish(message);
    // One trade with a date in the far future must not end every bar of the venue; the fold refuses it as well.
    if (trade.event_time_ns - receive_time_ns <= kMaxAheadNs) clock_.see(trade.event_time_ns, steady_ns);
  }
  metrics_.trades += trades_.size();
}

void VenueThread::on_error(DecodeError error, std::int64_t receive_time_ns, std::string_view frame) {
  ++metrics_.decode_errors[static_cast<std::size_t>(error)];
  errors_.keep(receive_time_ns, name_of(error), frame);
}

void VenueThread::publish(Message& message) {
  message.sequence = ++sequence_;
  put(zeromq_ring_, message, metrics_.zeromq_dropped, zeromq_is_dropping_, "ZeroMQ");
  put(kafka_ring_, message, metrics_.kafka_dropped, kafka_is_dropping_, "Kafka");
}

void VenueThread::put(MessageRing& ring, const Message& message, Counter& dropped, bool& is_dropping,
                      std::string_view publisher) const {
  const bool was_dropping = is_dropping;
  is_dropping = !ring.push(message);
  if (is_dropping) ++dropped;
  if (is_dropping == was_dropping) return;
  log(config_.venue,
      std::string(is_dropping ? "messages are lost from number " : "messages are kept again from number ") +
          std::to_string(message.sequence) + " on: the queue to " + std::string(publisher) +
          (is_dropping ? " is full" : " has room"));
}

/// The clock rides in the stream of trades, so that nobody hears of a time before the trades that it speaks of. It
/// stands still while the venue is away: trades of that time may still come.
asio::awaitable<void> VenueThread::tick() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    timer.expires_after(clock_interval_);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (metrics_.connected == 0) continue;
    const auto time_ns = clock_.time_ns(steady_now_ns());
    if (!time_ns) continue;
    Message message;
    message.kind = Message::Kind::clock;
    message.clock_time_ns = *time_ns;
    publish(message);
    ++metrics_.clocks;
  }
}

}  // namespace livetape::bridge
