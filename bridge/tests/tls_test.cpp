#include "exchange/tls.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <list>
#include <string>
#include <vector>

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Listens, and takes nothing out of its queue.
class Listener {
 public:
  Listener(asio::io_context& io, int backlog)
      : io_(io), acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    acceptor_.listen(backlog);
  }

  /// Fills its queue: the kernel swallows whatever else wants to connect.
  void fill() {
    for (int i = 0; i < 4; ++i) {
      tcp::socket& socket = waiting_.emplace_back(io_, tcp::v4());
      socket.native_non_blocking(true);
      const auto bytes = static_cast<socklen_t>(endpoint().size());
      (void)::connect(socket.native_handle(), endpoint().data(), bytes);  // Asio's would wait
    }
  }

  [[nodiscard]] tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  asio::io_context& io_;
  tcp::acceptor acceptor_;
  std::list<tcp::socket> waiting_;
};

/// An address at which nobody listens.
tcp::endpoint deserted(asio::io_context& io) {
  return tcp::acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)).local_endpoint();
}

std::string text_of(const tcp::endpoint& endpoint) {
  return endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
}

class ConnectTest : public testing::Test {
 protected:
  /// What `connect_to_any` says of these.
  std::string connect(const std::vector<tcp::endpoint>& endpoints) {
    std::string reason;
    const auto connecting = [&]() -> asio::awaitable<void> { reason = co_await connect_to_any(stream_, endpoints); };
    asio::co_spawn(io_, connecting(), asio::detached);
    io_.run();
    return reason;
  }

  asio::io_context io_;
  boost::beast::tcp_stream stream_{io_};
};

TEST_F(ConnectTest, AnAddressThatSwallowsEverythingDoesNotTakeTheNextOnesTime) {
  Listener swallows(io_, 0);
  swallows.fill();
  const Listener takes(io_, 1);
  EXPECT_EQ(connect({swallows.endpoint(), takes.endpoint()}), "");
  EXPECT_EQ(stream_.socket().remote_endpoint(), takes.endpoint());
}

TEST_F(ConnectTest, AnAddressOfEitherFamilyIsTriedBehindOneThatRefuses) {
  const tcp::endpoint six(asio::ip::address_v6::loopback(), deserted(io_).port());
  const Listener takes(io_, 1);
  EXPECT_EQ(connect({six, deserted(io_), takes.endpoint()}), "");
  EXPECT_EQ(stream_.socket().remote_endpoint(), takes.endpoint());
}

TEST_F(ConnectTest, NamesEachAddressThatDidNotTakeTheConnection) {
  const tcp::endpoint first = deserted(io_), second = deserted(io_);
  EXPECT_EQ(connect({first, second}),
            "connect: " + text_of(first) + ": Connection refused; " + text_of(second) + ": Connection refused");
}

TEST(InTurn, TakesIPv6AndIPv4InTurnAndKeepsTheOrderOfEither) {
  const auto all = [](std::vector<const char*> addresses) {
    std::vector<tcp::endpoint> endpoints;
    for (const char* const each : addresses) endpoints.emplace_back(asio::ip::make_address(each), 443);
    return endpoints;
  };
  EXPECT_EQ(in_turn(all({"2001:db8::2", "2001:db8::1", "2001:db8::3", "192.0.2.9", "192.0.2.1"})),
            all({"2001:db8::2", "192.0.2.9", "2001:db8::1", "192.0.2.1", "2001:db8::3"}));
  EXPECT_EQ(in_turn(all({"192.0.2.9", "192.0.2.1"})), all({"192.0.2.9", "192.0.2.1"}));
  EXPECT_EQ(in_turn({}), all({}));
}

}  // namespace
}  // namespace livetape::bridge
