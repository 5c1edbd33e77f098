#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "exchange/url.hpp"

namespace livetape::bridge {

/// A type of our own, so that its end is ours as well.
class TlsStream : public boost::asio::ssl::stream<boost::beast::tcp_stream> {
 public:
  using boost::asio::ssl::stream<boost::beast::tcp_stream>::stream;
};

/// How a WebSocket ends its connection: at once. Who breaks the rules, or has said good-bye, is owed no farewell of
/// TLS, whose own trouble would hide what was wrong.
template <typename Handler>
void async_teardown(boost::beast::role_type /*role*/, TlsStream& stream, Handler&& handler) {
  stream.next_layer().close();
  boost::asio::post(stream.get_executor(),
                    boost::beast::bind_front_handler(std::forward<Handler>(handler), boost::system::error_code()));
}

/// TLS 1.2 or later with the other side's certificate checked. `ca_file` is a PEM file of the authorities to trust; the
/// system's when it is empty.
/// Throws std::runtime_error that names the address and the file when that cannot be read.
[[nodiscard]] boost::asio::ssl::context make_tls_context(const std::string& ca_file, const std::string& url);

/// Connects to the first of these that takes the connection. Each has three seconds, and all together twenty: one that
/// swallows what is sent to it, as where a network has IPv6 in name only, must not take the others' time. Empty, or
/// what went wrong with each.
[[nodiscard]] boost::asio::awaitable<std::string> connect_to_any(
    boost::beast::tcp_stream& stream, std::span<const boost::asio::ip::tcp::endpoint> endpoints);

/// IPv6 and IPv4 in turn, in the order of either: where one of them is broken, all its addresses are.
[[nodiscard]] std::vector<boost::asio::ip::tcp::endpoint> in_turn(
    std::vector<boost::asio::ip::tcp::endpoint> endpoints);

/// Connects to the address and shakes hands; the certificate must be the host's. Empty, or what went wrong. The
/// stream's time-out goes on running.
[[nodiscard]] boost::asio::awaitable<std::string> connect_tls(TlsStream& stream, const Url& url);

}  // namespace livetape::bridge
