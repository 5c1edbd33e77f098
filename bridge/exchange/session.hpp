#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
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
  virtual void on_disconnected(std::string_view reason) = 0;
  /// A whole text frame, with simdjson's padding behind it; true when it was a sign of life from the subscription.
  virtual void on_frame(std::string_view frame) = 0;
};

/// Keeps one connection to a venue: connects over TLS with the certificate checked, subscribes, reads, keeps alive, and
/// comes back after a loss with jittered backoff. It knows no venue's name.
class Session {
 public:
  Session(boost::asio::io_context& context, const std::string& url, const std::string& ca_file, const Venue& venue,
          SessionListener& listener);

  /// Runs until the context stops.
  boost::asio::awaitable<void> run();

 private:
  using Stream = boost::beast::websocket::stream<boost::asio::ssl::stream<boost::beast::tcp_stream>>;

  boost::asio::awaitable<std::string> connect_and_read();
  boost::asio::awaitable<std::string> connect(Stream& stream);
  boost::asio::awaitable<std::string> subscribe(Stream& stream);
  boost::asio::awaitable<std::string> read(Stream& stream);
  boost::asio::awaitable<void> keep_alive(Stream& stream, const KeepAlive& rule);

  WebSocketUrl url_;
  boost::asio::ssl::context tls_;
  const Venue& venue_;
  SessionListener& listener_;
  Backoff backoff_;
};

}  // namespace livetape::bridge
