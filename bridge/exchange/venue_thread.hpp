#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/config.hpp"
#include "core/error_file.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "core/trade.hpp"
#include "core/venue_clock.hpp"
#include "exchange/session.hpp"

namespace livetape::bridge {

/// One venue's thread: reads frames, numbers the trades and the venue's clocks, and puts them into a ring for each
/// publisher.
class VenueThread final : SessionListener {
 public:
  /// Throws std::runtime_error for a venue without a client, or an address or file that is of no use.
  VenueThread(const VenueConfig& config, const Config& bridge, VenueMetrics& metrics);
  ~VenueThread() override;
  VenueThread(const VenueThread&) = delete;
  VenueThread& operator=(const VenueThread&) = delete;

  void start();
  void stop();

  /// What it gives the publishers; valid as long as it is there itself.
  [[nodiscard]] MessageSource source() noexcept {
    return {std::make_shared<Instruments>(config_.venue, config_.instruments), session_id_, &kafka_ring_,
            &zeromq_ring_};
  }

 private:
  static constexpr std::size_t kRingMessages = std::size_t{1} << 16;

  void on_connected() override;
  void on_disconnected(std::string_view reason, std::chrono::milliseconds wait) override;
  void on_frame(std::string_view frame) override;
  void on_error(DecodeError error, std::int64_t receive_time_ns, std::string_view frame);
  void publish(Message& message);
  void put(MessageRing& ring, const Message& message, Counter& dropped, bool& is_dropping,
           std::string_view publisher) const;
  boost::asio::awaitable<void> tick();

  VenueConfig config_;
  std::chrono::milliseconds clock_interval_;
  VenueMetrics& metrics_;
  std::unique_ptr<Venue> venue_;
  SessionId session_id_;
  ErrorFile errors_;
  VenueClock clock_;
  std::uint64_t sequence_ = 0;
  std::vector<Trade> trades_;  // of one frame; kept so that decoding does not allocate
  MessageRing kafka_ring_{kRingMessages};
  MessageRing zeromq_ring_{kRingMessages};
  bool kafka_is_dropping_ = false;
  bool zeromq_is_dropping_ = false;
  Session session_;
  boost::asio::io_context context_{1};  // after the session: what still waits in it knows the session
  std::thread thread_;
};

}  // namespace livetape::bridge
