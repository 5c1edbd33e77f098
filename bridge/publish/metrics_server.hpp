#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "core/config.hpp"

namespace livetape::bridge {

/// Answers `GET /metrics` with what `text` gives.
class MetricsServer {
 public:
  /// Throws std::runtime_error that names the address, and the setting for it, when it cannot be bound.
  MetricsServer(boost::asio::io_context& context, const Address& address, std::string_view setting,
                std::function<std::string()> text);

 private:
  boost::asio::awaitable<void> accept();
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);

  boost::asio::ip::tcp::acceptor acceptor_;
  std::function<std::string()> text_;
};

}  // namespace livetape::bridge
