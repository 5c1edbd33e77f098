#include "exchange/rest_client.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;

using Turn = RestClient::Turn;

/// Several who ask an address at which nobody listens, and in which order they had their answer, which is that.
class RestClientTest : public testing::Test {
 protected:
  /// Has somebody ask so many times, once again as soon as there is an answer.
  void ask(char who, Turn turn, int times) { asio::co_spawn(io_, asking(who, turn, times), asio::detached); }

  std::string answered() {
    io_.run();
    return answered_;
  }

 private:
  asio::awaitable<void> asking(char who, Turn turn, int times) {
    for (int time = 0; time < times; ++time) {
      const RestAnswer answer = co_await client_.get("/", turn);
      EXPECT_NE(answer.error, "");
      answered_ += who;
    }
  }

  asio::io_context io_;
  RestClient client_{"https://127.0.0.1:1", "", std::chrono::milliseconds(1),
                     [](std::string_view) { return std::nullopt; }};
  std::string answered_;
};

TEST_F(RestClientTest, HasThoseWhoGoFirstAskBeforeAllOthers) {
  ask('l', Turn::last, 2);
  ask('f', Turn::first, 3);
  EXPECT_EQ(answered(), "lfffl") << "the first one was asking already";
}

TEST_F(RestClientTest, HasThoseOfOneTurnAskOneAfterTheOther) {
  for (const Turn turn : {Turn::first, Turn::last}) {
    ask('a', turn, 3);
    ask('b', turn, 2);
    ask('c', turn, 3);
  }
  EXPECT_EQ(answered(),
            "abcabcac"
            "abcabcac");
}

}  // namespace
}  // namespace livetape::bridge
