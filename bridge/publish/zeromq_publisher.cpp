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

ZeroMqPublisher::ZeroMqPublisher(const Config& config, const std::vector<std::unique_ptr<VenueThread>>& venues,
                                 Metrics& metrics)
    : metrics_(metrics) {
  for (const auto& venue : venues) {
    encoders_.emplace_back(venue->venue_name(), venue->instruments(), as_hex(venue->session_id()),
                           config.trade_schema_id, config.clock_schema_id);
    sessions_.push_back(venue->session_id());
    rings_.push_back(&venue->zeromq_ring());
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
  thread_ = std::make_unique<PublisherThread>(
      "zeromq", rings_, [this](std::size_t ring, const Message& message) { take(ring, message); }, [] {});
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
