#include "publish/metrics_server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <stdexcept>

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
constexpr auto kCodes = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kTimeout{10};

}  // namespace

MetricsServer::MetricsServer(asio::io_context& context, const Address& address, std::string_view setting,
                             std::function<std::string()> text)
    : acceptor_(context), text_(std::move(text)) {
  try {
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(address.host), address.port);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("metrics cannot be served at " + address.host + ":" + std::to_string(address.port) + ": " +
                             error.code().message() + ". " + std::string(setting) + " chooses another address");
  }
  asio::co_spawn(context, accept(), asio::detached);
}

asio::awaitable<void> MetricsServer::accept() {
  for (;;) {
    auto [error, socket] = co_await acceptor_.async_accept(kCodes);
    if (!error) asio::co_spawn(acceptor_.get_executor(), serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> MetricsServer::serve(asio::ip::tcp::socket socket) {
  boost::beast::tcp_stream stream(std::move(socket));
  stream.expires_after(kTimeout);
  boost::beast::flat_buffer buffer;
  http::request<http::empty_body> request;
  auto [read_error, read_bytes] = co_await http::async_read(stream, buffer, request, kCodes);
  if (read_error) co_return;
  const bool is_metrics = request.method() == http::verb::get && request.target() == "/metrics";
  http::response<http::string_body> response(is_metrics ? http::status::ok : http::status::not_found,
                                             request.version());
  response.set(http::field::content_type, "text/plain; version=0.0.4");
  response.body() = is_metrics ? text_() : "GET /metrics is all there is\n";
  response.keep_alive(false);
  response.prepare_payload();
  co_await http::async_write(stream, response, kCodes);
}

}  // namespace livetape::bridge
