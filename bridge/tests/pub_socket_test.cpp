#include "publish/pub_socket.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>

namespace livetape::bridge {
namespace {

constexpr int kMessages = 20'000;

/// A socket that has its subscriber: XPUB is a PUB that can tell.
zmq::socket_t heard_socket(zmq::context_t& context, zmq::socket_t& subscriber, const std::string& address) {
  zmq::socket_t socket(context, zmq::socket_type::xpub);
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.bind(address);
  subscriber.set(zmq::sockopt::rcvhwm, 0);
  subscriber.set(zmq::sockopt::subscribe, "");
  subscriber.connect(address);
  zmq::message_t subscription;
  (void)socket.recv(subscription);
  return socket;
}

TEST(PubSocket, SendsMessagesOfSeveralThreadsWholeAndEachThreadsInOrder) {
  zmq::context_t context(1);
  zmq::socket_t subscriber(context, zmq::socket_type::sub);
  PubSocket socket(heard_socket(context, subscriber, "inproc://pub-socket"));
  const auto send = [&](const std::string& name) {
    for (int i = 0; i < kMessages; ++i) socket.send(name, std::to_string(i), name + " " + std::to_string(i));
  };
  std::thread other(send, "other");
  send("one");
  other.join();
  std::array<int, 2> next{};
  for (int i = 0; i < 2 * kMessages; ++i) {
    zmq::message_t name, number, both;
    (void)subscriber.recv(name);
    (void)subscriber.recv(number);
    (void)subscriber.recv(both);
    ASSERT_FALSE(both.more());
    int& expected = next[name.to_string() == "one" ? 0 : 1];
    ASSERT_EQ(number.to_string(), std::to_string(expected++));
    ASSERT_EQ(both.to_string(), name.to_string() + " " + number.to_string());
  }
  EXPECT_EQ(next, (std::array{kMessages, kMessages}));
}

}  // namespace
}  // namespace livetape::bridge
