#include "publish/zeromq_publisher.hpp"

#include <string>

#include "core/time.hpp"
#include "publish/zeromq_address.hpp"

namespace livetape::bridge {
namespace {

constexpr int kLingerMs = 1'000;         // for what is still under way at the end
constexpr int kHighWaterMark = 100'000;  // messages kept for each subscriber that reads slowly

zmq::socket_t bound_socket(zmq::context_t& context, const std::string& address, File& lock) {
  zmq::socket_t socket(context, zmq::socket_type::pub);
  socket.set(zmq::sockopt::sndhwm, kHighWaterMark);
  socket.set(zmq::sockopt::linger, kLingerMs);
  lock = bind_alone(socket, address, "LIVETAPE_ZMQ_DATA");
  return socket;
}

/// How late a trade came is counted from the least of its venue, so that clocks that differ do not hide it.
void note_times(const Trade& trade, VenueMetrics& metrics, LeastLag& lag) noexcept {
  const std::int64_t lag_ns = trade.receive_time_ns - trade.event_time_ns;
  const std::int64_t least_ns = lag.see(lag_ns, steady_now_ns());
  metrics.publish.record(utc_now_ns() - trade.receive_time_ns);
  metrics.lag.record(lag_ns - least_ns);
  metrics.least_lag_ns.store(least_ns, std::memory_order_relaxed);
}

}  // namespace

ZeroMqPublisher::Lane::Lane(const Config& config, const MessageSource& source, VenueMetrics& venue_metrics)
    : publication(RecordEncoder(source.instruments, as_hex(source.session), config.schema_ids), source.session,
                  config.retry_bytes),
      metrics(venue_metrics) {}

ZeroMqPublisher::ZeroMqPublisher(const Config& config, const std::vector<MessageSource>& sources, Metrics& metrics)
    : metrics_(metrics), socket_(bound_socket(context_, config.zeromq_data, address_lock_)) {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const MessageSource& source = sources[i];
    Lane& lane = *lanes_.emplace_back(std::make_unique<Lane>(config, source, metrics.venues[i]));
    retry_sources_.push_back({std::string(source.instruments->venue()), source.session, &lane.publication.kept()});
    source.publish_by([this, &lane](const Message& message) { publish(lane, message); });
  }
}

void ZeroMqPublisher::stop() {
  socket_.close();
  context_.close();  // waits for what is still under way, as long as it may linger
}

void ZeroMqPublisher::publish(Lane& lane, const Message& message) {
  lane.publication.publish(message, socket_);
  ++metrics_.zeromq_sent;
  const bool is_trade = message.kind == Message::Kind::trade;
  if (is_trade && message.trade.source == Source::live) note_times(message.trade, lane.metrics, lane.lag);
}

}  // namespace livetape::bridge
