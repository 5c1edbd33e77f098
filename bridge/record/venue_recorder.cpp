#include "record/venue_recorder.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <utility>

#include "core/log.hpp"
#include "core/time.hpp"
#include "exchange/learn_instruments.hpp"

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

}  // namespace

VenueRecorder::VenueRecorder(asio::io_context& context, const VenueConfig& config, milliseconds patience,
                             const std::filesystem::path& folder, Rotation rotation, RecordingFailed on_failed)
    : context_(context),
      config_(config),
      patience_(patience),
      venue_(checked_venue(config.venue, config.instruments)),
      url_(parse_url("wss", config.url)),
      tls_(make_tls_context(config.ca_file, config.url)),
      rest_(config.rest_url, config.ca_file, venue_->history_rules().pace,
            [this](std::string_view body) { return venue_->refusal(body); }),
      recording_(folder / config.venue, ".frames.gz", {}, rotation),
      failed_(std::move(on_failed)) {}

void VenueRecorder::start() { asio::co_spawn(context_, open(), asio::detached); }

asio::awaitable<void> VenueRecorder::open() {
  co_await learn_instruments(*venue_, rest_, [this](std::string_view reason, milliseconds wait) {
    log(config_.venue,
        "cannot read the instruments at " + config_.rest_url + ": " + std::string(reason) + next_attempt(wait));
  });
  say_unlisted(*venue_, config_);
  subscribe_to(listed_instruments(*venue_));
  co_await learn_others(*venue_, rest_, config_, patience_,
                        [this](std::span<const std::uint32_t> others) { subscribe_to(others); });
}

void VenueRecorder::subscribe_to(std::span<const std::uint32_t> instruments) {
  for (ConnectionPlan& plan : plan_connections(*venue_, channels_of(config_), instruments)) {
    Session& session = sessions_.emplace_back(context_.get_executor(), plan.address(url_), tls_, *venue_,
                                              std::move(plan.subscriptions), static_cast<SessionListener&>(*this));
    asio::co_spawn(context_, session.run(), asio::detached);
  }
}

void VenueRecorder::on_connected(Session& /*session*/) { log(config_.venue, "connected to " + config_.url); }

void VenueRecorder::on_subscribed(Session& /*session*/) {}

void VenueRecorder::on_disconnected(Session& /*session*/, std::string_view reason, milliseconds wait) {
  log(config_.venue, "connection lost: " + std::string(reason) + next_attempt(wait));
}

void VenueRecorder::on_failed(Session& /*session*/, std::string_view reason, milliseconds wait) {
  log(config_.venue, "cannot connect to " + config_.url + ": " + std::string(reason) + next_attempt(wait));
}

/// It is read as well, since a frame may say that the connection is to be left, or that a subscription is refused.
void VenueRecorder::on_frame(Session& session, std::string_view frame) {
  const std::int64_t receive_time_ns = utc_now_ns();
  keep(receive_time_ns, frame);
  const FrameResult result = venue_->decode(frame, receive_time_ns, decoded_);
  if (result.kind == FrameKind::reconnect) session.reconnect("the venue asks for another connection");
  if (result.kind == FrameKind::refused) {
    log(config_.venue, "the venue refused a subscription, the others go on: " + result.reason);
  }
}

/// A line end within a frame becomes a space: JSON has both between its tokens alone, where they mean the same.
void VenueRecorder::keep(std::int64_t receive_time_ns, std::string_view frame) {
  line_.assign(std::to_string(receive_time_ns)).append(" ");
  const auto begin = static_cast<std::ptrdiff_t>(line_.size());
  line_.append(frame);
  std::replace_if(
      line_.begin() + begin, line_.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  line_.append("\n");
  try {
    recording_.add(receive_time_ns, {reinterpret_cast<const std::uint8_t*>(line_.data()), line_.size()});
  } catch (const std::exception& error) {  // the session must not take it for a reason to come back
    failed_(error.what());
  }
}

}  // namespace livetape::bridge
