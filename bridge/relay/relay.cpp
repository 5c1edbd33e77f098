#include "relay/relay.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <zmq_addon.hpp>

#include "core/big_endian.hpp"
#include "core/log.hpp"
#include "core/schema_ids.hpp"
#include "core/thread.hpp"
#include "core/time.hpp"
#include "publish/zeromq_address.hpp"

namespace livetape::bridge {
namespace {

constexpr int kHighWaterMark = 100'000;    // messages that ZeroMQ holds for us; what it drops is asked for
constexpr int kTurn = 1'000;               // live messages between two looks at everything else
constexpr std::size_t kMostHeld = 20'000;  // messages of a session that wait for their turn
constexpr std::size_t kMessageFrames = 3;
constexpr std::chrono::milliseconds kLongestSleep{10};
constexpr std::int64_t kAskEveryNs = 1'000'000'000;
constexpr std::int64_t kAnswerNs = 1'000'000'000;
constexpr std::int64_t kSilenceNs = 5'000'000'000;
constexpr std::int64_t kStopTimeoutNs = 8'000'000'000;

std::span<const std::uint8_t> bytes_of(const zmq::message_t& frame) {
  return {frame.data<std::uint8_t>(), frame.size()};
}

std::uint64_t sequence_in(const zmq::message_t& position) {
  return read_big_endian<8>(position.data<std::uint8_t>() + sizeof(SessionId));
}

}  // namespace

Relay::Relay(const Config& config, RelayMetrics& metrics, std::function<void()> on_fatal)
    : namespace_mark_(config.namespace_mark),
      retry_address_(config.zeromq_retry),
      on_fatal_(std::move(on_fatal)),
      producer_(config, metrics.kafka, on_fatal_) {
  const auto add_lane = [&](const auto& source, bool has_quotes) {
    if (source.writer != Writer::relay) return;
    metrics.venues.emplace_back().venue = source.venue;
    lanes_.push_back({metrics.venues.back(), has_quotes});
    live_.set(zmq::sockopt::subscribe, source.venue);
  };
  for (const VenueConfig& venue : config.venues) add_lane(venue, venue.has_quotes);
  for (const PacketFeedConfig& feed : config.packet_feeds) add_lane(feed, false);
  if (lanes_.empty())
    throw std::runtime_error(
        "no venue has `relay` as its writer: LIVETAPE_VENUES and LIVETAPE_PACKET_FEEDS say who writes");
  live_.set(zmq::sockopt::rcvhwm, kHighWaterMark);
  live_.set(zmq::sockopt::linger, 0);
  notice_the_dead(live_);
  set_family(live_, config.zeromq_data);
  live_.connect(config.zeromq_data);
  retry_.set(zmq::sockopt::routing_id, kRelayAddress);
  retry_.set(zmq::sockopt::linger, 1'000);    // for the last confirmations
  retry_.set(zmq::sockopt::immediate, true);  // what is asked of a bridge that is away need not be answered later
  set_family(retry_, config.zeromq_retry);
  retry_.connect(config.zeromq_retry);
}

Relay::~Relay() { stop(); }

void Relay::start() {
  answered_at_ns_ = steady_now_ns();
  thread_ = start_thread("relay", [this] { run(); });
}

void Relay::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  live_.close();
  retry_.close();
}

void Relay::run() {
  std::vector<zmq::pollitem_t> items{{live_.handle(), 0, ZMQ_POLLIN, 0}, {retry_.handle(), 0, ZMQ_POLLIN, 0}};
  while (!stopping_) {
    zmq::poll(items, kLongestSleep);
    take_live();
    take_answers();
    for (Lane& lane : lanes_) advance(lane);
    producer_.poll();
    for (Lane& lane : lanes_) {
      confirm(lane);
      ask(lane);
    }
    ask_what_is_unconfirmed();
  }
  producer_.flush(steady_now_ns() + kStopTimeoutNs);
  for (Lane& lane : lanes_) confirm(lane);
}

/// A bridge that was started later may write by schemas that are registered since: what is what only a new process
/// knows. The bridge keeps the message meanwhile, since it is not confirmed.
bool Relay::may_write(std::span<const std::uint8_t> value) {
  const std::int32_t schema_id = schema_id_in(value);
  if (producer_.knows(schema_id)) return true;
  if (!std::exchange(has_met_unknown_, true)) {
    log("relay", "the bridge has messages of schema " + std::to_string(schema_id) +
                     ", which the registry did not tell when the relay began: it ends, and another one asks anew");
    on_fatal_();
  }
  return false;
}

/// Writes messages of a session.
auto Relay::producing(const Session& session) {
  return [this, number = session.producer_number](std::uint64_t sequence, std::string_view key,
                                                  std::span<const std::uint8_t> value) {
    const SpooledMessage message{sequence, key, value};
    return may_write(value) && producer_.produce(number, {&message, 1}) == 1;
  };
}

void Relay::take_live() {
  for (int i = 0; i < kTurn; ++i) {
    frames_.clear();
    if (!zmq::recv_multipart(live_, std::back_inserter(frames_), zmq::recv_flags::dontwait)) return;
    if (frames_.size() == kMessageFrames && frames_[1].size() == sizeof(Position)) take_live_message();
  }
}

/// A session is known once the bridge has said where it begins: what comes before that is asked for afterwards.
void Relay::take_live_message() {
  const std::string_view key = frames_[0].to_string_view();
  Lane* const lane = lane_of(key.substr(0, key.find(':')));
  // Another relay may have the bridge's ear, and write: what comes meanwhile is asked for once the bridge answers
  // again.
  if (lane == nullptr || is_unanswered_) return;
  const SessionId id = session_in(frames_[1].to_string_view());
  const auto session = std::ranges::find(lane->sessions, id, &Session::id);
  if (session == lane->sessions.end()) {
    if (!is_ours(id)) return;
    constexpr std::int64_t kSoonNs = 50'000'000;
    ask_at_ns_ = std::min(ask_at_ns_, steady_now_ns() + kSoonNs);
    return;
  }
  ++lane->metrics.live;
  const auto produce = [&](std::uint64_t sequence, std::string_view its_key, std::span<const std::uint8_t> value) {
    return session == lane->sessions.begin() && producing(*session)(sequence, its_key, value);
  };
  if (!session->order.take(sequence_in(frames_[1]), key, bytes_of(frames_[2]), produce)) ++lane->metrics.again;
}

void Relay::take_answers() {
  for (;;) {
    frames_.clear();
    if (!zmq::recv_multipart(retry_, std::back_inserter(frames_), zmq::recv_flags::dontwait)) return;
    answered_at_ns_ = steady_now_ns();
    if (is_unanswered_) log("relay", "the bridge answers again");
    is_unanswered_ = false;
    const std::string_view kind = frames_.front().to_string_view();
    if (kind == "unconfirmed") take_unconfirmed(frames_);
    if (kind == "got") take_got(frames_);
  }
}

void Relay::take_unconfirmed(const std::vector<zmq::message_t>& answer) {
  std::vector<SessionId> told;
  for (std::size_t i = 1; i + 1 < answer.size(); i += 2) {
    Lane* const lane = lane_of(answer[i].to_string_view());
    if (lane == nullptr || answer[i + 1].size() != kRangeBytes) continue;
    const RetryRange unconfirmed = read_range(answer[i + 1].to_string_view());
    learn(*lane, unconfirmed);
    told.push_back(unconfirmed.session);
  }
  for (Lane& lane : lanes_) end_what_is_over(lane, told);
}

void Relay::learn(Lane& lane, const RetryRange& unconfirmed) {
  const auto known = std::ranges::find(lane.sessions, unconfirmed.session, &Session::id);
  if (known != lane.sessions.end()) {
    known->order.knows(unconfirmed.last);
    // A bridge that has started anew may not have heard of the newest confirmations.
    known->confirmed = unconfirmed.first - 1;
    if (unconfirmed.first <= known->order.next()) return;
    // Another relay has written meanwhile, as while this one stood still.
    known->order.skip_to(unconfirmed.first);
    known->producer_number = producer_.add_session(lane.has_quotes);  // of a clock half its copies may have gone out
    lane.asked_from = 0;
    return;
  }
  if (!is_ours(unconfirmed.session)) return;
  Session& session =
      lane.sessions.emplace_back(Session{unconfirmed.session, producer_.add_session(lane.has_quotes),
                                         SessionOrder(unconfirmed.first, kMostHeld), unconfirmed.first - 1});
  session.order.knows(unconfirmed.last);
  log("relay", lane.metrics.venue + ": a session of the bridge, from message " + std::to_string(unconfirmed.first));
}

/// Of sessions before the first that it tells of the bridge has no more: by this relay or another one they are
/// confirmed, but for what its disk refused, and this relay may have heard.
void Relay::end_what_is_over(Lane& lane, const std::vector<SessionId>& told) {
  const auto is_told = [&told](const Session& session) { return std::ranges::find(told, session.id) != told.end(); };
  const auto first = std::ranges::find_if(lane.sessions, is_told);
  if (first == lane.sessions.begin() || first == lane.sessions.end()) return;
  std::for_each(lane.sessions.begin(), first, [](Session& over) { over.order.end_with_held(); });
  lane.asked_from = 0;
}

void Relay::take_got(const std::vector<zmq::message_t>& answer) {
  if (answer.size() < 2 || answer[1].size() != kRangeBytes) return;
  const RetryRange covered = read_range(answer[1].to_string_view());
  const auto lane = std::ranges::find_if(lanes_, [&](const Lane& each) {
    return !each.sessions.empty() && each.sessions.front().id == covered.session && each.asked_from == covered.first;
  });
  if (lane == lanes_.end()) return;          // late: it was asked for again meanwhile
  if (covered.last < covered.first) return;  // on its way: asked for again in a while
  lane->asked_from = 0;
  Session& session = lane->sessions.front();
  for (std::size_t i = 2; i + kMessageFrames <= answer.size(); i += kMessageFrames) {
    if (answer[i + 1].size() != sizeof(Position)) return;
    (void)session.order.take(sequence_in(answer[i + 1]), answer[i].to_string_view(), bytes_of(answer[i + 2]),
                             producing(session));
    ++lane->metrics.asked_for;
  }
  session.order.advance(producing(session));
  const std::uint64_t lost = session.order.give_up(covered.last);
  if (lost == 0) return;
  lane->metrics.lost += lost;
  log("relay", lane->metrics.venue + ": " + std::to_string(lost) + " messages before number " +
                   std::to_string(session.order.next()) + " are lost: the bridge no longer has them");
}

/// Goes on to the next session once the brokers have all of the one before.
void Relay::advance(Lane& lane) {
  while (!lane.sessions.empty()) {
    Session& session = lane.sessions.front();
    session.order.advance(producing(session));
    if (!session.order.is_complete() || lane.sessions.size() == 1 || !producer_.is_idle(session.producer_number))
      return;
    confirm(lane);
    lane.sessions.pop_front();
    lane.asked_from = 0;
  }
}

void Relay::confirm(Lane& lane) {
  if (lane.sessions.empty()) return;
  Session& session = lane.sessions.front();
  const std::uint64_t confirmed = producer_.is_idle(session.producer_number)
                                      ? session.order.next() - 1
                                      : producer_.confirmed(session.producer_number);
  if (confirmed <= session.confirmed) return;
  session.confirmed = confirmed;
  const RetryRange range{session.id, 0, confirmed};
  send("confirm", &range);
}

void Relay::ask(Lane& lane) {
  const std::int64_t now_ns = steady_now_ns();
  if (lane.sessions.empty() || (lane.asked_from != 0 && now_ns < lane.ask_again_at_ns)) return;
  const Session& session = lane.sessions.front();
  const auto missing = session.order.missing();
  lane.asked_from = 0;
  if (!missing || !producer_.has_room(session.producer_number, missing->first)) return;
  lane.asked_from = missing->first;
  lane.ask_again_at_ns = now_ns + kAnswerNs;
  const RetryRange range{session.id, missing->first, missing->second};
  send("get", &range);
}

void Relay::ask_what_is_unconfirmed() {
  const std::int64_t now_ns = steady_now_ns();
  if (now_ns < ask_at_ns_) return;
  ask_at_ns_ = now_ns + kAskEveryNs;
  send("unconfirmed", nullptr);
  if (now_ns - std::max(answered_at_ns_, connected_at_ns_) < kSilenceNs) return;
  reconnect();
  if (std::exchange(is_unanswered_, true)) return;
  log("relay", "the bridge at " + retry_address_ + " does not answer: it is away, or another relay has its ear");
}

/// A connection that came while the bridge had another relay's is deaf for good, though that one has gone since.
void Relay::reconnect() {
  retry_.disconnect(retry_address_);
  retry_.connect(retry_address_);
  connected_at_ns_ = steady_now_ns();
}

/// What cannot be sent now is sent again later.
void Relay::send(std::string_view kind, const RetryRange* range) {
  std::vector<zmq::message_t> frames;
  frames.emplace_back(kind);
  if (range != nullptr) frames.push_back(write_range(*range));
  (void)zmq::send_multipart(retry_, frames, zmq::send_flags::dontwait);
}

/// A bridge of another namespace may have the address: what it replays, say, is none of ours.
bool Relay::is_ours(const SessionId& session) {
  if (is_marked(session, namespace_mark_)) return true;
  const bool is_first = !std::exchange(has_met_others_, true);
  if (is_first) {
    log("relay", "a bridge of another namespace (LIVETAPE_NAMESPACE) is heard at " + retry_address_ +
                     ": its messages are left out");
  }
  return false;
}

Relay::Lane* Relay::lane_of(std::string_view venue) noexcept {
  const auto found = std::ranges::find_if(lanes_, [&](const Lane& lane) { return lane.metrics.venue == venue; });
  return found == lanes_.end() ? nullptr : &*found;
}

}  // namespace livetape::bridge
