#include "publish/metrics_server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <stdexcept>
#include <utility>

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
constexpr auto kCodes = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kTimeout{10};
constexpr std::chrono::milliseconds kPause{100};  // where no connection can be taken, as for want of descriptors
constexpr std::size_t kMostConnections = 16;

/// Whether a request is for `/metrics`, whatever stands behind a question mark.
bool is_for_metrics(const http::request<http::empty_body>& request) {
  const std::string_view target(request.target().data(), request.target().size());
  return request.method() == http::verb::get && target.substr(0, target.find('?')) == "/metrics";
}

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
    if (error) {
      co_await asio::steady_timer(acceptor_.get_executor(), kPause).async_wait(kCodes);
      continue;
    }
    const auto stream = std::make_shared<Stream>(std::move(socket));
    make_room();
    open_.push_back(stream);
    asio::co_spawn(acceptor_.get_executor(), keep(stream), asio::detached);
  }
}

/// A scrape takes milliseconds: who has been there for longest has nothing to ask.
void MetricsServer::make_room() {
  if (open_.size() < kMostConnections) return;
  open_.front()->close();
  open_.pop_front();
}

asio::awaitable<void> MetricsServer::keep(std::shared_ptr<Stream> stream) {
  co_await serve(*stream);
  std::erase(open_, stream);
}

asio::awaitable<void> MetricsServer::serve(Stream& stream) {
  stream.expires_after(kTimeout);
  boost::beast::flat_buffer buffer;
  http::request<http::empty_body> request;
  auto [read_error, read_bytes] = co_await http::async_read(stream, buffer, request, kCodes);
  if (read_error) co_return;
  const bool is_metrics = is_for_metrics(request);
  http::response<http::string_body> response(is_metrics ? http::status::ok : http::status::not_found,
                                             request.version());
  response.set(http::field::content_type, "text/plain; version=0.0.4");
  response.body() = is_metrics ? text_() : "GET /metrics is all there is\n";
  response.keep_alive(false);
  response.prepare_payload();
  co_await http::async_write(stream, response, kCodes);
}

}  // namespace livetape::bridge
