#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "exchange/backoff.hpp"
#include "exchange/url.hpp"
#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Hears of what a session reads. All calls come from the session's thread.
class SessionListener {
 public:
  virtual ~SessionListener() = default;
  virtual void on_connected() = 0;
  /// A connection was lost, or could not be made; the next attempt comes after `wait`.
  virtual void on_disconnected(std::string_view reason, std::chrono::milliseconds wait) = 0;
  /// A whole frame, with simdjson's padding behind it.
  virtual void on_frame(std::string_view frame) = 0;
};

/// Keeps one connection to a venue: connects over TLS with the certificate checked, subscribes, reads, keeps alive, and
/// comes back after a loss with jittered backoff. It knows no venue's name.
class Session {
 public:
  /// `ca_file` is a PEM file of the authorities to trust; the system's when it is empty.
  /// Throws std::runtime_error for an address or a file that is of no use.
  Session(const std::string& url, const std::string& ca_file, const Venue& venue, SessionListener& listener);

  /// Runs until its executor stops.
  boost::asio::awaitable<void> run();

 private:
  using Stream = boost::beast::websocket::stream<boost::asio::ssl::stream<boost::beast::tcp_stream>>;

  boost::asio::awaitable<std::string> connect_and_read();
  boost::asio::awaitable<std::string> connect(Stream& stream);
  boost::asio::awaitable<std::string> handshake_tls(boost::asio::ssl::stream<boost::beast::tcp_stream>& tls) const;
  boost::asio::awaitable<std::string> read(Stream& stream);
  boost::asio::awaitable<std::string> speak(Stream& stream);

  WebSocketUrl url_;
  boost::asio::ssl::context tls_;
  const Venue& venue_;
  SessionListener& listener_;
  Backoff backoff_;
  std::optional<std::chrono::steady_clock::time_point> connected_at_;
};

}  // namespace livetape::bridge
