#include "nic/packet_feed.hpp"

#include <poll.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "core/log.hpp"
#include "core/thread.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

/// Whether the message itself is to blame, and not what is known of its order.
bool is_undecodable(itch::Error error) noexcept {
  return error == itch::Error::truncated || error == itch::Error::overlong || error == itch::Error::unknown_type ||
         error == itch::Error::bad_name;
}

std::string_view what_is_heard(mold::Hearing hearing) noexcept {
  switch (hearing) {
    case mold::Hearing::current:
      return "the feed is heard";
    case mold::Hearing::past:
      return "every packet is of what came before: its sender has begun again under the same session's name; start the "
             "bridge anew to read it";
    case mold::Hearing::silence:
      break;
  }
  return "the feed is silent on every line";
}

std::string name_of(const mold::Session& session) { return {session.data(), session.size()}; }

}  // namespace

PacketFeed::PacketFeed(const PacketFeedConfig& config, const Config& bridge, VenueMetrics& venue_metrics,
                       PacketMetrics& packet_metrics, PacketInput input)
    : venue_(config.venue),
      is_polled_(config.dpdk.has_value()),
      venue_metrics_(venue_metrics),
      packet_metrics_(packet_metrics),
      instruments_(std::make_shared<Instruments>(config.venue, itch::Trades::kStocks)),
      session_id_(random_session_id(bridge.namespace_mark)),
      errors_(bridge.errors_dir, config.venue),
      trades_(*instruments_, config.instruments, config.currency, ExchangeDay(config.utc_offsets, config.midnight_ns),
              config.orders, *this),
      receiver_(*this, packet_metrics.receiver, input.server != nullptr, config.lines.size()),
      input_(std::move(input)),
      clock_(std::chrono::nanoseconds(config.clock_delay).count()),
      clock_interval_ns_(std::chrono::nanoseconds(bridge.clock_interval).count()),
      line_watch_(config.lines),
      kafka_(kafka_ring_, venue_metrics.kafka_dropped, config.venue) {
  for (const std::string& line : config.lines) packet_metrics_.lines.emplace_back(line);
  if (input_.server != nullptr && !config.midnight_ns) session_file_.emplace(bridge.positions_dir, config.venue);
}

PacketFeed::~PacketFeed() { stop(); }

MessageSource PacketFeed::source() noexcept {
  return {instruments_, session_id_, &kafka_ring_, [this](PublishAtOnce publish) { publish_by(std::move(publish)); }};
}

void PacketFeed::start() {
  thread_ = start_thread(venue_, [this] { run(); });
}

void PacketFeed::stop() {
  stopping_ = true;
  if (!thread_.joinable()) return;
  thread_.join();
  end_gaps();
}

void PacketFeed::run() {
  while (!stopping_) {
    if (!poll() && !is_polled_) wait();
  }
}

/// Until a packet comes, or something may be due.
void PacketFeed::wait() {
  constexpr int kLongestMs = 10;
  std::vector<::pollfd> waited;
  for (const int descriptor : input_.descriptors) waited.push_back({descriptor, POLLIN, 0});
  (void)::poll(waited.data(), waited.size(), receiver_.is_behind() ? 1 : kLongestMs);
}

bool PacketFeed::poll() {
  if (stopping_) return false;
  now_ns_ = steady_now_ns();
  bool has_heard = false;
  for (const auto& source : input_.sources) {
    // Its socket is the kernel's: to ask it costs a system call, and only one who asked has an answer to come.
    const bool is_server = source.get() == input_.server;
    if (is_server && is_polled_ && !receiver_.is_behind()) continue;
    payloads_.clear();
    source->receive(payloads_);
    if (payloads_.empty()) continue;
    has_heard = true;
    receive_time_ns_ = utc_now_ns();
    for (const Payload& payload : payloads_) {
      const mold::Arrival arrival{receive_time_ns_, payload.hardware_time_ns};
      if (is_server) {
        receiver_.take_answer(payload.bytes, now_ns_, arrival);
      } else {
        ++packet_metrics_.lines[payload.line].packets;
        line_watch_.hear(payload.line, now_ns_);
        receiver_.take(payload.bytes, now_ns_, arrival);
      }
    }
  }
  receiver_.tick(now_ns_);
  watch(now_ns_);
  look_at_lines(now_ns_);
  tell_clock(now_ns_);
  if (is_bell_due_ && !has_heard && now_ns_ - bell_ns_ >= kBellNs) {
    is_bell_due_ = false;
    bell_ns_ = now_ns_;
    kafka_ring_.ring();
  }
  return has_heard;
}

/// A feed that ended may be silent: nothing is missed.
void PacketFeed::watch(std::int64_t now_ns) {
  const mold::Hearing hearing = receiver_.hearing(now_ns);
  const bool is_current = hearing == mold::Hearing::current;
  if (hearing == hearing_ || (!is_current && receiver_.has_ended())) return;
  const mold::Hearing before = std::exchange(hearing_, hearing);
  venue_metrics_.connected = is_current ? 1 : 0;
  if (is_current) ++venue_metrics_.connects;
  if (before == mold::Hearing::current) ++venue_metrics_.disconnects;
  log(venue_, what_is_heard(hearing));
}

void PacketFeed::look_at_lines(std::int64_t now_ns) {
  if (now_ns < look_due_ns_) return;
  look_due_ns_ = now_ns + kLookNs;
  std::uint64_t dropped = 0;
  for (const auto& source : input_.sources) dropped += source->dropped();
  const std::uint64_t before = packet_metrics_.dropped.exchange(dropped);
  if (dropped > before) {
    log(venue_, std::to_string(dropped - before) + " datagrams came and were dropped here, before they could be read");
  }
  line_watch_.look(now_ns, [this](const std::string& what) { log(venue_, what); });
}

void PacketFeed::on_session(const mold::Session& session) {
  end_gaps();
  drop_answers();
  log(venue_, "session " + name_of(session) + " begins");
  session_ = session;
  kept_day_ = session_file_ ? session_file_->day_of(session) : std::nullopt;
  trades_.begin_session(kept_day_);
}

/// What the server has told of the session before, and nobody has read: this one may have the same name.
void PacketFeed::drop_answers() const {
  if (input_.server == nullptr) return;
  Payloads answers;
  do {
    answers.clear();
    input_.server->receive(answers);
  } while (!answers.empty());
}

void PacketFeed::on_messages(mold::Messages messages, const mold::Arrival& arrival) {
  arrival_ = arrival;
  tell_gaps_before(messages);
  for (mold::Messages ahead = messages; !ahead.empty(); ahead.pop()) trades_.prefetch(ahead.front());
  std::span<const std::uint8_t> message;
  for (; !messages.empty(); messages.pop()) {
    message = messages.front();
    // Of every message until then: the same one shall tell the day to the next run, which may have it in another
    // packet.
    if (!trades_.day()) (void)trades_.event_time_ns(message, arrival.receive_time_ns);
    const itch::Error error = trades_.take(message, arrival.receive_time_ns);
    if (error != itch::Error::none) note(error, message);
  }
  if (const auto time_ns = trades_.event_time_ns(message, arrival.receive_time_ns)) {
    before_ns_ = time_ns;
    clock_.see(*time_ns, now_ns_);
  }
  keep_day();
}

void PacketFeed::keep_day() {
  const auto day = trades_.day();
  if (!session_file_ || !day || day == kept_day_) return;
  kept_day_ = day;
  if (!session_file_->keep(session_, *day)) ++venue_metrics_.positions_not_kept;
}

void PacketFeed::note(itch::Error error, std::span<const std::uint8_t> message) {
  ++packet_metrics_.message_errors[static_cast<std::size_t>(error)];
  if (!is_undecodable(error)) return;
  errors_.keep(arrival_.receive_time_ns, itch::name_of(error),
               {reinterpret_cast<const char*>(message.data()), message.size()});
}

void PacketFeed::on_lost(std::uint64_t first, std::uint64_t end) {
  Gap gap;
  gap.reason =
      input_.server == nullptr ? "no line brought them" : "no line brought them, nor did the re-request server";
  gap.is_of_any = true;
  gap.first_message = first;
  gap.last_message = end - 1;
  if (!gaps_.empty() && gaps_.back().last_message + 1 == first) {  // nothing came between the two
    gaps_.back().last_message = end - 1;
  } else {
    gaps_.push_back(gap);
  }
  log(venue_,
      "messages " + std::to_string(first) + " to " + std::to_string(end - 1) + " are lost: " + std::string(gap.reason));
}

void PacketFeed::on_end() {
  end_gaps();
  log(venue_, "the session has ended");
}

void PacketFeed::on_other_session(const mold::Session& session) {
  log(venue_,
      "messages of session " + name_of(session) + " are left out while session " + name_of(session_) + " is heard");
}

/// At the time of the first message that tells one.
void PacketFeed::tell_gaps_before(mold::Messages messages) {
  for (; !gaps_.empty() && !messages.empty(); messages.pop()) {
    if (const auto time_ns = trades_.event_time_ns(messages.front(), arrival_.receive_time_ns)) tell_gaps(*time_ns);
  }
}

/// Each gap is a record before the first message behind it: who reads in order knows of the hole when it comes to it.
void PacketFeed::tell_gaps(std::int64_t to_time_ns) {
  for (const Gap& gap : std::exchange(gaps_, {})) {
    Message message;
    message.kind = Message::Kind::gap;
    message.gap = gap;
    message.gap.from_time_ns = before_ns_.value_or(to_time_ns);
    message.gap.to_time_ns = to_time_ns;
    publish(message);
    ++venue_metrics_.gaps;
  }
}

/// Nothing comes behind them any more; where nothing came before either, all that is known is when that was seen.
void PacketFeed::end_gaps() { tell_gaps(before_ns_.value_or(receive_time_ns_)); }

void PacketFeed::on_request(std::span<const std::uint8_t> packet) { input_.server->send(packet); }

void PacketFeed::on_trade(const Trade& trade) {
  Message message;
  message.trade = trade;
  message.trade.hardware_time_ns = arrival_.hardware_time_ns;
  publish(message);
  ++venue_metrics_.trades;
}

void PacketFeed::publish(Message& message) {
  message.sequence = ++sequence_;
  if (message.kind == Message::Kind::trade) message.trade.publish_time_ns = utc_now_ns();
  publish_(message);
  if (is_polled_) {
    kafka_.put_silently(message);
    is_bell_due_ = true;
  } else {
    kafka_.put(message);
  }
}

/// It stands still while something is missing, or may be: trades of that time may still come.
void PacketFeed::tell_clock(std::int64_t now_ns) {
  if (clock_due_ns_ == 0) clock_due_ns_ = now_ns + clock_interval_ns_;
  if (now_ns < clock_due_ns_) return;
  clock_due_ns_ = now_ns + clock_interval_ns_;
  if (hearing_ != mold::Hearing::current || receiver_.is_behind()) return;
  const auto time_ns = clock_.time_ns(now_ns);
  if (!time_ns) return;
  Message message;
  message.kind = Message::Kind::clock;
  message.clock_time_ns = *time_ns;
  publish(message);
  ++venue_metrics_.clocks;
}

}  // namespace livetape::bridge
