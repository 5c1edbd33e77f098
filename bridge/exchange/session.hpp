#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/backoff.hpp"
#include "exchange/subscription_plan.hpp"
#include "exchange/tls.hpp"
#include "exchange/url.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

class Session;

/// Hears of what a session reads. All calls come from the session's thread.
class SessionListener {
 public:
  virtual ~SessionListener() = default;
  virtual void on_connected(Session& session) = 0;
  /// All subscriptions were sent.
  virtual void on_subscribed(Session& session) = 0;
  /// A connection was lost; the next attempt comes after `wait`.
  virtual void on_disconnected(Session& session, std::string_view reason, std::chrono::milliseconds wait) = 0;
  /// A connection could not be made; the next attempt comes after `wait`.
  virtual void on_failed(Session& session, std::string_view reason, std::chrono::milliseconds wait) = 0;
  /// A ping came back after so long.
  virtual void on_round_trip(Session& /*session*/, std::chrono::nanoseconds /*time*/) {}
  /// A whole frame, with simdjson's padding behind it.
  virtual void on_frame(Session& session, std::string_view frame) = 0;
};

/// Keeps one connection to a venue: connects over TLS with the certificate checked, subscribes, reads, keeps alive, and
/// comes back after a loss with jittered backoff. It knows no venue's name.
class Session {
 public:
  using Executor = boost::asio::any_io_executor;

  Session(const Executor& executor, Url url, boost::asio::ssl::context& tls, const Venue& venue,
          std::vector<Subscription> subscriptions, SessionListener& listener);

  /// Runs until its executor stops.
  boost::asio::awaitable<void> run();
  /// Makes a subscription by itself.
  void subscribe(const Subscription& subscription);
  /// Ends a subscription and makes it again.
  void resubscribe(const Subscription& subscription);
  /// Ends the connection; another is made as after any loss.
  void reconnect(std::string reason);

  [[nodiscard]] const std::vector<Subscription>& subscriptions() const noexcept { return subscriptions_; }
  [[nodiscard]] bool is_connected() const noexcept { return is_connected_; }
  /// Up to when a venue that says nothing is believed to have nothing to say. A process that stood still for minutes
  /// wakes up connected: what the venue told meanwhile is yet to be read, or lost with the connection.
  [[nodiscard]] std::chrono::steady_clock::time_point quiet_until() const noexcept;
  /// Nothing waits to be sent.
  [[nodiscard]] bool is_idle() const noexcept { return outbox_.empty(); }

 private:
  using Stream = boost::beast::websocket::stream<TlsStream, false>;  // no compression: none is asked for

  boost::asio::awaitable<std::string> connect_and_read();
  boost::asio::awaitable<std::string> connect(Stream& stream);
  boost::asio::awaitable<std::string> read(Stream& stream);
  boost::asio::awaitable<std::string> speak(Stream& stream);
  boost::asio::awaitable<std::string> guard();
  boost::asio::awaitable<std::string> send_outbox(Stream& stream);
  boost::asio::awaitable<std::string> ping(Stream& stream);
  void on_pong(std::string_view payload);
  void say(const Subscription& subscription, bool is_on);

  Executor executor_;
  Url url_;
  boost::asio::ssl::context& tls_;
  const Venue& venue_;
  std::vector<Subscription> subscriptions_;
  SessionListener& listener_;
  Backoff backoff_;
  std::chrono::milliseconds left_alone_{0};  // how long the venue wants to be, by its answer to the last handshake
  bool is_connected_ = false;
  std::chrono::steady_clock::time_point whole_at_;  // when a frame was last heard to its end
  std::deque<std::string> outbox_;                  // what the venue is still to be told
  boost::asio::steady_timer wake_;                  // of who sends it
  std::string pinged_;                              // what the last ping said
  std::chrono::steady_clock::time_point pinged_at_;
  std::optional<std::chrono::steady_clock::time_point> answered_;  // when the last ping that was answered was sent
  std::string wish_;  // why the connection is to be ended, where that is wanted
};

}  // namespace livetape::bridge
