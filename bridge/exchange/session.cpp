#include "exchange/session.hpp"

#include <simdjson.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <random>
#include <utility>
#include <variant>

#include "exchange/rest_limits.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr auto kCodes = asio::as_tuple(asio::use_awaitable);  // errors as codes, not as exceptions
constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::chrono::seconds kIdleTimeout{30};  // with pings half-way: a connection that is dead shows
constexpr std::chrono::seconds kPingEvery{10};
constexpr std::size_t kMaxFrameBytes = std::size_t{4} << 20;
constexpr std::chrono::seconds kLongestFrame{30};  // a quiet venue has pongs, which count
constexpr std::chrono::seconds kLongestQuiet{30};  // some pings' time

std::string failed(const char* what, const error_code& error) { return std::string(what) + ": " + error.message(); }

}  // namespace

Session::Session(const Executor& executor, Url url, asio::ssl::context& tls, const Venue& venue,
                 std::vector<Subscription> subscriptions, SessionListener& listener)
    : executor_(executor),
      url_(std::move(url)),
      tls_(tls),
      venue_(venue),
      subscriptions_(std::move(subscriptions)),
      listener_(listener),
      backoff_(std::random_device{}()),
      wake_(executor) {}

asio::awaitable<void> Session::run() {
  using Clock = std::chrono::steady_clock;
  asio::steady_timer timer(executor_);
  for (;;) {
    const auto began = Clock::now();
    std::string reason;
    try {
      reason = co_await connect_and_read();
    } catch (const std::exception& error) {  // whatever it was, it must not end the venue
      reason = error.what();
    }
    const bool was_connected = std::exchange(is_connected_, false);
    const auto wait = std::max(backoff_.next(was_connected ? Clock::now() - began : Clock::duration::zero()),
                               std::exchange(left_alone_, std::chrono::milliseconds(0)));
    if (was_connected) {
      listener_.on_disconnected(*this, reason, wait);
    } else {
      listener_.on_failed(*this, reason, wait);
    }
    timer.expires_after(wait);
    co_await timer.async_wait(kCodes);
  }
}

void Session::subscribe(const Subscription& subscription) { say(subscription, true); }

void Session::resubscribe(const Subscription& subscription) {
  say(subscription, false);
  say(subscription, true);
}

void Session::say(const Subscription& subscription, bool is_on) {
  for (std::string& message : messages_for(venue_, {&subscription, 1}, is_on)) outbox_.push_back(std::move(message));
  wake_.cancel();
}

void Session::reconnect(std::string reason) {
  wish_ = std::move(reason);
  wake_.cancel();
}

/// All that the venue said before it answered a ping was read before the answer. One that answers none is believed by
/// its frames.
std::chrono::steady_clock::time_point Session::quiet_until() const noexcept {
  return answered_.value_or(whole_at_) + kLongestQuiet;
}

/// Reads while it subscribes: a venue sends trades of the first instruments before it has heard of the last.
asio::awaitable<std::string> Session::connect_and_read() {
  using namespace asio::experimental::awaitable_operators;
  Stream stream(executor_, tls_);
  std::string reason = co_await connect(stream);
  if (!reason.empty()) co_return reason;
  is_connected_ = true;
  wish_.clear();
  outbox_.clear();
  answered_.reset();
  whole_at_ = std::chrono::steady_clock::now();
  listener_.on_connected(*this);
  auto ended = co_await (read(stream) || speak(stream) || guard());
  co_return std::visit([](std::string& why) { return std::move(why); }, ended);
}

asio::awaitable<std::string> Session::connect(Stream& stream) {
  if (std::string reason = co_await connect_tls(stream.next_layer(), url_); !reason.empty()) co_return reason;
  beast::get_lowest_layer(stream).expires_never();  // from here on the WebSocket stream has its own time-outs
  beast::websocket::stream_base::timeout timeout{kConnectTimeout, kIdleTimeout, true};
  stream.set_option(timeout);
  stream.read_message_max(kMaxFrameBytes);
  stream.control_callback([this, &stream](beast::websocket::frame_type kind, std::string_view payload) {
    // In the middle of a message they do not count: one that never ends may have pongs between its fragments.
    if (stream.is_message_done()) whole_at_ = std::chrono::steady_clock::now();
    if (kind == beast::websocket::frame_type::pong) on_pong(payload);
  });
  beast::websocket::response_type answer;
  auto [handshake_error] =
      co_await stream.async_handshake(answer, url_.http_host + ":" + url_.port, url_.target, kCodes);
  if (handshake_error == beast::websocket::error::upgrade_declined) {
    left_alone_ = handshake_wait_of(answer.result_int(), answer[beast::http::field::retry_after]);
    co_return "WebSocket handshake: HTTP status " + std::to_string(answer.result_int());
  }
  if (handshake_error) co_return failed("WebSocket handshake", handshake_error);
  co_return std::string();
}

asio::awaitable<std::string> Session::read(Stream& stream) {
  beast::flat_buffer buffer;
  for (;;) {
    auto [error, bytes] = co_await stream.async_read(buffer, kCodes);
    if (error) co_return failed("read", error);
    whole_at_ = std::chrono::steady_clock::now();
    buffer.prepare(simdjson::SIMDJSON_PADDING);  // room behind the frame; it may move the frame, so before the view
    listener_.on_frame(*this, {static_cast<const char*>(buffer.data().data()), buffer.size()});
    buffer.consume(buffer.size());
  }
}

/// Subscribes, then keeps the connection alive and says what else there is to say; comes back only with why it ends.
asio::awaitable<std::string> Session::speak(Stream& stream) {
  stream.text(true);
  for (std::string& message : messages_for(venue_, subscriptions_, true)) outbox_.push_back(std::move(message));
  if (std::string reason = co_await send_outbox(stream); !reason.empty()) co_return reason;
  listener_.on_subscribed(*this);
  const auto rule = venue_.keep_alive();
  using Clock = std::chrono::steady_clock;
  auto due = rule ? Clock::now() + rule->every : Clock::time_point::max();
  auto ping_due = Clock::now();
  for (;;) {
    if (outbox_.empty() && wish_.empty()) {
      wake_.expires_at(std::min(due, ping_due));
      co_await wake_.async_wait(kCodes);
    }
    if (!wish_.empty()) co_return wish_;
    if (Clock::now() >= ping_due) {
      if (std::string reason = co_await ping(stream); !reason.empty()) co_return reason;
      ping_due = Clock::now() + kPingEvery;
    }
    if (rule && Clock::now() >= due) {
      outbox_.push_back(rule->message);
      due = Clock::now() + rule->every;
    }
    if (std::string reason = co_await send_outbox(stream); !reason.empty()) co_return reason;
  }
}

/// Ends a connection that is never idle and never says anything: bytes that come are enough for Beast's time-out, be
/// they of a frame that does not end.
asio::awaitable<std::string> Session::guard() {
  asio::steady_timer timer(executor_);
  while (std::chrono::steady_clock::now() < whole_at_ + kLongestFrame) {
    timer.expires_at(whole_at_ + kLongestFrame);
    co_await timer.async_wait(kCodes);
  }
  co_return "read: no frame has ended for " + std::to_string(kLongestFrame.count()) + " s";
}

/// Sends what is to be said, at the venue's pace.
asio::awaitable<std::string> Session::send_outbox(Stream& stream) {
  asio::steady_timer pace(executor_);
  while (!outbox_.empty()) {
    const std::string message = std::move(outbox_.front());
    outbox_.pop_front();
    auto [error, bytes] = co_await stream.async_write(asio::buffer(message), kCodes);
    if (error) co_return failed("send", error);
    pace.expires_after(venue_.limits().pace);
    co_await pace.async_wait(kCodes);
  }
  co_return std::string();
}

/// How long the way is tells what of a trade's lag is the way's and what is the clocks'.
asio::awaitable<std::string> Session::ping(Stream& stream) {
  pinged_at_ = std::chrono::steady_clock::now();
  pinged_ = std::to_string(pinged_at_.time_since_epoch().count());
  auto [error] = co_await stream.async_ping(beast::websocket::ping_data(pinged_), kCodes);
  co_return error ? failed("ping", error) : std::string();
}

/// The stream's own pings, which keep a silent connection, say nothing.
void Session::on_pong(std::string_view payload) {
  if (payload.empty() || payload != pinged_) return;
  pinged_.clear();
  answered_ = pinged_at_;
  listener_.on_round_trip(*this, std::chrono::steady_clock::now() - pinged_at_);
}

}  // namespace livetape::bridge
