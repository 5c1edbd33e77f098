#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/config.hpp"

namespace livetape::bridge {

/// Answers `GET /metrics` with what `text` gives, to few at a time: of more the oldest connection is closed.
class MetricsServer {
 public:
  /// Throws std::runtime_error that names the address, and the setting for it, when it cannot be bound.
  MetricsServer(boost::asio::io_context& context, const Address& address, std::string_view setting,
                std::function<std::string()> text);

  /// Where it is served: of port 0 the one that it was given.
  [[nodiscard]] boost::asio::ip::tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  using Stream = boost::beast::tcp_stream;

  boost::asio::awaitable<void> accept();
  void make_room();
  boost::asio::awaitable<void> keep(std::shared_ptr<Stream> stream);
  boost::asio::awaitable<void> serve(Stream& stream);

  boost::asio::ip::tcp::acceptor acceptor_;
  std::function<std::string()> text_;
  std::deque<std::shared_ptr<Stream>> open_;
};

}  // namespace livetape::bridge
