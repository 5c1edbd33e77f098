#pragma once

#include <mutex>
#include <utility>
#include <zmq.hpp>

namespace livetape::bridge {

/// A PUB socket on which several threads send, one message of some frames at a time.
///
/// A socket of ZeroMQ may be used by any thread, by one at a time, when there is a full fence between one and the next
/// (zmq_socket(3)): the lock is that. It is held for the sends alone.
class PubSocket {
 public:
  explicit PubSocket(zmq::socket_t socket) : socket_(std::move(socket)) {}

  template <typename... Frames>
  void send(const Frames&... frames) {
    const std::scoped_lock lock(mutex_);
    std::size_t left = sizeof...(frames);
    (socket_.send(zmq::buffer(frames.data(), frames.size()),
                  --left > 0 ? zmq::send_flags::sndmore : zmq::send_flags::none),
     ...);
  }

  /// Nobody may send any more.
  void close() { socket_.close(); }

 private:
  std::mutex mutex_;
  zmq::socket_t socket_;
};

}  // namespace livetape::bridge
