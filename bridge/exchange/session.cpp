#include "exchange/session.hpp"

#include <simdjson.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <random>

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

}  // namespace

Session::Session(asio::io_context&, const std::string& url, const std::string& ca_file, const Venue& venue,
                 SessionListener& listener)
    : url_(parse_wss_url(url)),
      tls_(asio::ssl::context::tls_client),
      venue_(venue),
      listener_(listener),
      backoff_(std::random_device{}()) {
  tls_.set_verify_mode(asio::ssl::verify_peer);
  tls_.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                   asio::ssl::context::no_tlsv1_1);
  if (ca_file.empty()) {
    tls_.set_default_verify_paths();
  } else {
    tls_.load_verify_file(ca_file);
  }
}

asio::awaitable<void> Session::run() {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    const std::string reason = co_await connect_and_read();
    listener_.on_disconnected(reason);
    timer.expires_after(backoff_.next());
    co_await timer.async_wait(kCodes);
  }
}

asio::awaitable<std::string> Session::connect_and_read() {
  using namespace asio::experimental::awaitable_operators;
  Stream stream(co_await asio::this_coro::executor, tls_);
  std::string reason = co_await connect(stream);
  if (reason.empty()) reason = co_await subscribe(stream);
  if (!reason.empty()) co_return reason;
  listener_.on_connected();
  const auto rule = venue_.keep_alive();
  if (!rule) co_return co_await read(stream);
  const auto ended = co_await (read(stream) || keep_alive(stream, *rule));
  co_return ended.index() == 0 ? std::get<0>(ended) : "keep-alive could not be sent";
}

asio::awaitable<std::string> Session::connect(Stream& stream) {
  auto& tcp = beast::get_lowest_layer(stream);
  asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
  auto [resolve_error, addresses] = co_await resolver.async_resolve(url_.host, url_.port, kCodes);
  if (resolve_error) co_return failed("name look-up", resolve_error);
  tcp.expires_after(kConnectTimeout);
  auto [connect_error, endpoint] = co_await tcp.async_connect(addresses, kCodes);
  if (connect_error) co_return failed("connect", connect_error);
  tcp.socket().set_option(asio::ip::tcp::no_delay(true));

  auto& tls = stream.next_layer();
  if (!SSL_set_tlsext_host_name(tls.native_handle(), url_.host.c_str())) co_return "TLS: the host name cannot be set";
  tls.set_verify_callback(asio::ssl::host_name_verification(url_.host));
  auto [tls_error] = co_await tls.async_handshake(asio::ssl::stream_base::client, kCodes);
  if (tls_error) co_return failed("TLS", tls_error);

  tcp.expires_never();  // from here on the WebSocket stream has its own time-outs
  beast::websocket::stream_base::timeout timeout{kConnectTimeout, kIdleTimeout, true};
  stream.set_option(timeout);
  stream.read_message_max(kMaxFrameBytes);
  auto [handshake_error] = co_await stream.async_handshake(url_.host + ":" + url_.port, url_.target, kCodes);
  if (handshake_error) co_return failed("WebSocket handshake", handshake_error);
  co_return std::string();
}

asio::awaitable<std::string> Session::subscribe(Stream& stream) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (const std::string& message : venue_.subscribe_messages()) {
    stream.text(true);
    auto [error, bytes] = co_await stream.async_write(asio::buffer(message), kCodes);
    if (error) co_return failed("subscribe", error);
    timer.expires_after(venue_.subscribe_pace());
    co_await timer.async_wait(kCodes);
  }
  co_return std::string();
}

asio::awaitable<std::string> Session::read(Stream& stream) {
  beast::flat_buffer buffer;
  for (;;) {
    auto [error, bytes] = co_await stream.async_read(buffer, kCodes);
    if (error) co_return failed("read", error);
    backoff_.reset();
    buffer.prepare(simdjson::SIMDJSON_PADDING);  // room behind the frame; it may move the frame, so before the view
    listener_.on_frame({static_cast<const char*>(buffer.data().data()), buffer.size()});
    buffer.consume(buffer.size());
  }
}

asio::awaitable<void> Session::keep_alive(Stream& stream, const KeepAlive& rule) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    timer.expires_after(rule.every);
    auto [wait_error] = co_await timer.async_wait(kCodes);
    if (wait_error) co_return;
    auto [error, bytes] = co_await stream.async_write(asio::buffer(rule.message), kCodes);
    if (error) co_return;
  }
}

}  // namespace livetape::bridge
