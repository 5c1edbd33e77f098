#include "publish/zeromq_publisher.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

namespace livetape::bridge {
namespace {

constexpr int kLingerMs = 1'000;         // for what is still under way at the end
constexpr int kHighWaterMark = 100'000;  // messages kept for each subscriber that reads slowly

}  // namespace

ZeroMqPublisher::ZeroMqPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics)
    : metrics_(metrics) {
  for (const MessageSource& source : sources) {
    encoders_.emplace_back(source.instruments, as_hex(source.session), config.trade_schema_id, config.clock_schema_id);
    sessions_.push_back(source.session);
    rings_.push_back(source.zeromq);
    if (source.polled == nullptr) continue;
    source.polled->publish_by([this, ring = rings_.size() - 1](const Message& message) { take(ring, message); });
    polled_.push_back(source.polled);
  }
  socket_.set(zmq::sockopt::sndhwm, kHighWaterMark);
  socket_.set(zmq::sockopt::linger, kLingerMs);
  try {
    socket_.bind(config.zeromq_data);
  } catch (const zmq::error_t& error) {
    throw std::runtime_error("ZeroMQ cannot bind " + config.zeromq_data + ": " + error.what() +
                             ". Another bridge may run; LIVETAPE_ZMQ_DATA chooses another address");
  }
}

void ZeroMqPublisher::start() {
  const auto poll = [this] { return this->poll(); };
  thread_ = std::make_unique<PublisherThread>(
      "zeromq", rings_, [this](std::size_t ring, const Message& message) { take(ring, message); }, [] {},
      polled_.empty() ? PublisherThread::Poll() : poll);
}

bool ZeroMqPublisher::poll() {
  bool has_polled = false;
  for (PolledSource* source : polled_) has_polled = source->poll() || has_polled;
  return has_polled;
}

void ZeroMqPublisher::stop() {
  if (thread_) thread_->stop();
  thread_.reset();
  socket_.close();
  context_.close();  // waits for what is still under way, as long as it may linger
}

void ZeroMqPublisher::take(std::size_t ring, const Message& message) {
  const auto value = encoders_[ring].encode(message);
  const auto key = encoders_[ring].key(message);
  std::array<unsigned char, sizeof(SessionId) + sizeof message.sequence> position{};
  std::ranges::copy(sessions_[ring], position.begin());
  for (std::size_t i = 0; i < sizeof message.sequence; ++i) {
    position[sizeof(SessionId) + i] = static_cast<unsigned char>(message.sequence >> (56 - 8 * i));
  }
  socket_.send(zmq::buffer(key), zmq::send_flags::sndmore);
  socket_.send(zmq::buffer(position), zmq::send_flags::sndmore);
  socket_.send(zmq::buffer(value.data(), value.size()), zmq::send_flags::none);
  ++metrics_.zeromq_sent;
}

}  // namespace livetape::bridge
