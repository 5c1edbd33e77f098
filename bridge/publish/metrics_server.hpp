#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "core/metrics.hpp"

namespace livetape::bridge {

/// Answers `GET /metrics` with the counters in Prometheus' text format.
class MetricsServer {
 public:
  /// Throws std::runtime_error that names the address when it cannot be bound.
  MetricsServer(boost::asio::io_context& context, const std::string& host, std::uint16_t port, const Metrics& metrics);

 private:
  boost::asio::awaitable<void> accept();
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);

  boost::asio::ip::tcp::acceptor acceptor_;
  const Metrics& metrics_;
};

}  // namespace livetape::bridge
