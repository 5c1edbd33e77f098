#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/config.hpp"
#include "exchange/rest_client.hpp"
#include "exchange/session.hpp"
#include "record/recording.hpp"

namespace livetape::bridge {

/// Hears, once, what keeps a recording from going on.
using RecordingFailed = std::function<void(std::string_view reason)>;

/// Keeps every frame of a venue as it came: a line each, the time of receiving in nanoseconds and the frame. It
/// subscribes, keeps alive and comes back as the bridge does.
class VenueRecorder final : SessionListener {
 public:
  /// Throws std::runtime_error for a venue without a client, an address or file that is of no use, and a folder that
  /// nothing can be written in.
  /// `patience`: how long an instrument may be silent at first.
  VenueRecorder(boost::asio::io_context& context, const VenueConfig& config, std::chrono::milliseconds patience,
                const std::filesystem::path& folder, Rotation rotation, RecordingFailed on_failed);

  void start();
  [[nodiscard]] Recording& recording() noexcept { return recording_; }

 private:
  void on_connected(Session& session) override;
  void on_subscribed(Session& session) override;
  void on_disconnected(Session& session, std::string_view reason, std::chrono::milliseconds wait) override;
  void on_failed(Session& session, std::string_view reason, std::chrono::milliseconds wait) override;
  void on_frame(Session& session, std::string_view frame) override;

  boost::asio::awaitable<void> open();
  void subscribe_to(std::span<const std::uint32_t> instruments);
  void keep(std::int64_t receive_time_ns, std::string_view frame);

  boost::asio::io_context& context_;
  VenueConfig config_;
  std::chrono::milliseconds patience_;
  std::unique_ptr<Venue> venue_;
  Url url_;
  boost::asio::ssl::context tls_;
  RestClient rest_;
  Recording recording_;
  RecordingFailed failed_;
  std::string line_;
  Decoded decoded_;
  std::deque<Session> sessions_;
};

}  // namespace livetape::bridge
