#include "publish/metrics_server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
using Socket = asio::ip::tcp::socket;

/// A server that runs in a thread of its own, and its clients.
class MetricsServerTest : public ::testing::Test {
 protected:
  ~MetricsServerTest() override {
    context_.stop();
    thread_.join();
  }

  Socket connected() {
    Socket socket(clients_);
    socket.connect(server_.endpoint());
    return socket;
  }

  /// All that is answered to a request for this.
  std::string answer_for(std::string_view target) {
    Socket socket = connected();
    asio::write(socket, asio::buffer("GET " + std::string(target) + " HTTP/1.1\r\nHost: here\r\n\r\n"));
    std::string answer;
    boost::system::error_code end;
    asio::read(socket, asio::dynamic_buffer(answer), end);
    return answer;
  }

  /// Whether the server has not let go of a client that has sent nothing.
  static bool is_open(Socket& socket) {
    socket.non_blocking(true);
    char byte = 0;
    boost::system::error_code code;
    socket.read_some(asio::buffer(&byte, 1), code);
    return code == asio::error::would_block;
  }

  asio::io_context clients_;
  asio::io_context context_{1};
  MetricsServer server_{context_, {"127.0.0.1", 0}, "SETTING", [] { return std::string("all_is_well 1\n"); }};
  std::thread thread_{[this] { context_.run(); }};
};

TEST_F(MetricsServerTest, AnswersWhoAsksThoughManyAreSilentAndHoldsFewOfThose) {
  constexpr int kSilent = 60;
  constexpr int kMost = 16;
  std::vector<Socket> silent;
  for (int i = 0; i < kSilent; ++i) silent.push_back(connected());
  EXPECT_TRUE(answer_for("/metrics").ends_with("all_is_well 1\n"));
  EXPECT_LT(std::ranges::count_if(silent, is_open), kMost);
}

TEST_F(MetricsServerTest, AnswersWhateverStandsBehindAQuestionMark) {
  EXPECT_TRUE(answer_for("/metrics?name=a").ends_with("all_is_well 1\n"));
  EXPECT_TRUE(answer_for("/metricsandmore").starts_with("HTTP/1.1 404"));
}

}  // namespace
}  // namespace livetape::bridge
