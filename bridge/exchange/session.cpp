#include "exchange/session.hpp"

#include <simdjson.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <random>
#include <stdexcept>
#include <variant>

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr auto kCodes = asio::as_tuple(asio::use_awaitable);  // errors as codes, not as exceptions
constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::chrono::seconds kIdleTimeout{30};  // with pings half-way: a connection that is dead shows
constexpr std::size_t kMaxFrameBytes = std::size_t{4} << 20;

std::string failed(const char* what, const error_code& error) { return std::string(what) + ": " + error.message(); }

/// Has OpenSSL compare the certificate with the host; unlike Asio's own check, it can say afterwards what was wrong.
bool expect_host(SSL* ssl, const std::string& host) {
  error_code is_name;
  asio::ip::make_address(host, is_name);
  if (!is_name) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  return SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && SSL_set1_host(ssl, host.c_str()) == 1;
}

}  // namespace

Session::Session(const std::string& url, const std::string& ca_file, const Venue& venue, SessionListener& listener)
    : url_(parse_wss_url(url)),
      tls_(asio::ssl::context::tls_client),
      venue_(venue),
      listener_(listener),
      backoff_(std::random_device{}()) {
  tls_.set_verify_mode(asio::ssl::verify_peer);
  tls_.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                   asio::ssl::context::no_tlsv1_1);
  error_code error;
  if (ca_file.empty()) {
    tls_.set_default_verify_paths(error);
  } else {
    tls_.load_verify_file(ca_file, error);
  }
  if (error)
    throw std::runtime_error("authorities of " + url + " cannot be read from ca_file " + ca_file + ": " +
                             error.message());
}

asio::awaitable<void> Session::run() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    connected_at_.reset();
    std::string reason;
    try {
      reason = co_await connect_and_read();
    } catch (const std::exception& error) {  // whatever it was, it must not end the venue
      reason = error.what();
    }
    using Clock = std::chrono::steady_clock;
    const auto wait = backoff_.next(connected_at_ ? Clock::now() - *connected_at_ : Clock::duration::zero());
    listener_.on_disconnected(reason, wait);
    timer.expires_after(wait);
    co_await timer.async_wait(kCodes);
  }
}

/// Reads while it subscribes: a venue sends trades of the first instruments before it has heard of the last.
asio::awaitable<std::string> Session::connect_and_read() {
  using namespace asio::experimental::awaitable_operators;
  Stream stream(co_await asio::this_coro::executor, tls_);
  std::string reason = co_await connect(stream);
  if (!reason.empty()) co_return reason;
  connected_at_ = std::chrono::steady_clock::now();
  listener_.on_connected();
  auto ended = co_await (read(stream) || speak(stream));
  co_return std::visit([](std::string& why) { return std::move(why); }, ended);
}

asio::awaitable<std::string> Session::connect(Stream& stream) {
  auto& tcp = beast::get_lowest_layer(stream);
  asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
  auto [resolve_error, addresses] = co_await resolver.async_resolve(url_.host, url_.port, kCodes);
  if (resolve_error) co_return failed("name look-up", resolve_error);
  tcp.expires_after(kConnectTimeout);
  auto [connect_error, endpoint] = co_await tcp.async_connect(addresses, kCodes);
  if (connect_error) co_return failed("connect", connect_error);
  error_code only_slower;
  tcp.socket().set_option(asio::ip::tcp::no_delay(true), only_slower);
  if (std::string reason = co_await handshake_tls(stream.next_layer()); !reason.empty()) co_return reason;

  tcp.expires_never();  // from here on the WebSocket stream has its own time-outs
  beast::websocket::stream_base::timeout timeout{kConnectTimeout, kIdleTimeout, true};
  stream.set_option(timeout);
  stream.read_message_max(kMaxFrameBytes);
  auto [handshake_error] = co_await stream.async_handshake(url_.host + ":" + url_.port, url_.target, kCodes);
  if (handshake_error) co_return failed("WebSocket handshake", handshake_error);
  co_return std::string();
}

asio::awaitable<std::string> Session::handshake_tls(asio::ssl::stream<beast::tcp_stream>& tls) const {
  SSL* const ssl = tls.native_handle();
  if (!expect_host(ssl, url_.host)) co_return "TLS: the host name " + url_.host + " cannot be checked";
  auto [error] = co_await tls.async_handshake(asio::ssl::stream_base::client, kCodes);
  if (!error) co_return std::string();
  const long verdict = SSL_get_verify_result(ssl);
  if (verdict == X509_V_OK) co_return failed("TLS", error);
  co_return "TLS: the certificate of " + url_.host + " is refused: " + X509_verify_cert_error_string(verdict);
}

asio::awaitable<std::string> Session::read(Stream& stream) {
  beast::flat_buffer buffer;
  for (;;) {
    auto [error, bytes] = co_await stream.async_read(buffer, kCodes);
    if (error) co_return failed("read", error);
    buffer.prepare(simdjson::SIMDJSON_PADDING);  // room behind the frame; it may move the frame, so before the view
    listener_.on_frame({static_cast<const char*>(buffer.data().data()), buffer.size()});
    buffer.consume(buffer.size());
  }
}

/// Subscribes, then keeps the connection alive; comes back only with what went wrong.
asio::awaitable<std::string> Session::speak(Stream& stream) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  stream.text(true);
  for (const std::string& message : venue_.subscribe_messages()) {
    auto [error, bytes] = co_await stream.async_write(asio::buffer(message), kCodes);
    if (error) co_return failed("subscribe", error);
    timer.expires_after(venue_.subscribe_pace());
    co_await timer.async_wait(kCodes);
  }
  const auto rule = venue_.keep_alive();
  for (;;) {
    timer.expires_at(rule ? std::chrono::steady_clock::now() + rule->every : asio::steady_timer::time_point::max());
    co_await timer.async_wait(kCodes);
    if (!rule) continue;
    auto [error, bytes] = co_await stream.async_write(asio::buffer(rule->message), kCodes);
    if (error) co_return failed("keep-alive", error);
  }
}

}  // namespace livetape::bridge
