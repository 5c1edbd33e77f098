#include "publish/zeromq_publisher.hpp"

#include <stdexcept>
#include <string>

#include "core/time.hpp"

namespace livetape::bridge {
namespace {

constexpr int kLingerMs = 1'000;         // for what is still under way at the end
constexpr int kHighWaterMark = 100'000;  // messages kept for each subscriber that reads slowly

}  // namespace

ZeroMqPublisher::ZeroMqPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics)
    : metrics_(metrics), lags_(sources.size()), spin_(config.spin) {
  for (const MessageSource& source : sources) {
    RecordEncoder encoder(source.instruments, as_hex(source.session), config.schema_ids);
    publications_.push_back(std::make_unique<Publication>(std::move(encoder), source.session, config.retry_bytes));
    const std::string venue(source.instruments->venue());
    retry_sources_.push_back({venue, source.session, &publications_.back()->kept()});
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
      polled_.empty() ? PublisherThread::Poll() : poll, spin_);
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
  publications_[ring]->publish(message, socket_);
  ++metrics_.zeromq_sent;
  const bool is_trade = message.kind == Message::Kind::trade;
  if (is_trade && message.trade.source == Source::live) note_times(ring, message.trade);
}

/// How late a trade came is counted from the least of its venue, so that clocks that differ do not hide it.
void ZeroMqPublisher::note_times(std::size_t ring, const Trade& trade) noexcept {
  VenueMetrics& metrics = metrics_.venues[ring];
  const std::int64_t lag_ns = trade.receive_time_ns - trade.event_time_ns;
  const std::int64_t least_ns = lags_[ring].see(lag_ns, steady_now_ns());
  metrics.publish.record(utc_now_ns() - trade.receive_time_ns);
  metrics.lag.record(lag_ns - least_ns);
  metrics.least_lag_ns.store(least_ns, std::memory_order_relaxed);
}

}  // namespace livetape::bridge
