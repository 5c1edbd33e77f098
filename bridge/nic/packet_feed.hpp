#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/config.hpp"
#include "core/error_file.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "core/ring_writer.hpp"
#include "core/venue_clock.hpp"
#include "nic/itch_trades.hpp"
#include "nic/line_watch.hpp"
#include "nic/mold_receiver.hpp"
#include "nic/packet_input.hpp"
#include "nic/session_file.hpp"

namespace livetape::bridge {

/// A venue's packets on their way to messages: lines and re-request server → one MoldUDP64 stream → ITCH → trades, and
/// the venue's clock among them.
///
/// Its thread publishes each trade before it looks at the next message, and puts it into Kafka's ring behind that. Over
/// the kernel's sockets it sleeps while nothing comes; over DPDK there is nothing to sleep on.
class PacketFeed final : mold::Listener, itch::Trades::Listener {
 public:
  PacketFeed(const PacketFeedConfig& config, const Config& bridge, VenueMetrics& venue_metrics,
             PacketMetrics& packet_metrics, PacketInput input);
  ~PacketFeed() override;
  PacketFeed(const PacketFeed&) = delete;
  PacketFeed& operator=(const PacketFeed&) = delete;

  [[nodiscard]] MessageSource source() noexcept;
  void start();
  /// Reads no more. What was read is in the rings.
  void stop();

  /// How each message is published at once; to be said before it starts.
  void publish_by(PublishAtOnce publish) { publish_ = std::move(publish); }
  /// Reads what has come and never waits; false when that was nothing. It is the thread's own work, once it has
  /// started.
  bool poll();
  /// Whether the session is over and nothing of it is missing.
  [[nodiscard]] bool has_ended() const noexcept { return receiver_.has_ended(); }

 private:
  static constexpr std::size_t kRingMessages = std::size_t{1} << 16;
  static constexpr std::int64_t kBellNs = 1'000'000;
  static constexpr std::int64_t kLookNs = 1'000'000'000;

  void on_session(const mold::Session& session) override;
  void on_messages(mold::Messages messages, const mold::Arrival& arrival) override;
  void on_lost(std::uint64_t first, std::uint64_t end) override;
  void on_end() override;
  void on_other_session(const mold::Session& session) override;
  void on_request(std::span<const std::uint8_t> packet) override;
  void on_trade(const Trade& trade) override;

  void run();
  void wait();
  void drop_answers() const;
  void keep_day();
  void note(itch::Error error, std::span<const std::uint8_t> message);
  void publish(Message& message);
  void tell_gaps_before(mold::Messages messages);
  void tell_gaps(std::int64_t to_time_ns);
  void end_gaps();
  void tell_clock(std::int64_t now_ns);
  void watch(std::int64_t now_ns);
  void look_at_lines(std::int64_t now_ns);

  std::string venue_;
  bool is_polled_;
  VenueMetrics& venue_metrics_;
  PacketMetrics& packet_metrics_;
  std::shared_ptr<Instruments> instruments_;
  SessionId session_id_;
  ErrorFile errors_;
  itch::Trades trades_;
  mold::Receiver receiver_;
  PacketInput input_;
  std::optional<SessionFile> session_file_;  // none where no session is read again, or each has its day by the setting
  mold::Session session_{};
  std::optional<SessionDay> kept_day_;  // of that session
  Payloads payloads_;                   // of one burst

  VenueClock clock_;
  std::int64_t clock_interval_ns_;
  std::int64_t clock_due_ns_ = 0;
  mold::Hearing hearing_ = mold::Hearing::silence;
  mold::LineWatch line_watch_;
  std::int64_t look_due_ns_ = 0;
  std::int64_t receive_time_ns_ = 0;
  mold::Arrival arrival_;                  // of the message at hand
  std::vector<Gap> gaps_;                  // that wait for the event time of what comes behind them
  std::optional<std::int64_t> before_ns_;  // event time of the last message
  std::int64_t now_ns_ = 0;                // steady, of this round

  std::uint64_t sequence_ = 0;
  MessageRing kafka_ring_{kRingMessages};
  RingWriter kafka_;
  PublishAtOnce publish_;
  bool is_bell_due_ = false;  // Kafka's publisher may sleep before a full ring
  std::int64_t bell_ns_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace livetape::bridge
