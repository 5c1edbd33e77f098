#include "publish/retry_server.hpp"

#include <algorithm>
#include <iterator>
#include <zmq_addon.hpp>

#include "core/thread.hpp"
#include "publish/zeromq_address.hpp"

namespace livetape::bridge {
namespace {

constexpr int kHighWaterMark = 64;  // answers kept for a client that reads slowly; what is beyond it asks for again
constexpr std::uint64_t kMaxMessages = 1'000;  // in one answer
constexpr std::size_t kMaxBytes = std::size_t{256} << 10;

zmq::message_t frame_of(std::span<const std::uint8_t> bytes) { return {bytes.data(), bytes.size()}; }

zmq::message_t copy_of(const zmq::message_t& frame) { return {frame.data(), frame.size()}; }

/// A client's address, then what kind of answer it is.
std::vector<zmq::message_t> answer_to(const zmq::message_t& client, std::string_view kind) {
  std::vector<zmq::message_t> frames;
  frames.push_back(copy_of(client));
  frames.emplace_back(kind);
  return frames;
}

}  // namespace

RetryServer::RetryServer(const std::string& address, std::vector<RetrySource> sources, Metrics& metrics)
    : sources_(std::move(sources)), metrics_(metrics) {
  for (const RetrySource& source : sources_) {
    readers_.push_back(source.spool == nullptr ? nullptr : std::make_unique<SpoolReader>(*source.spool));
  }
  socket_.set(zmq::sockopt::sndhwm, kHighWaterMark);
  socket_.set(zmq::sockopt::linger, 0);
  notice_the_dead(socket_);  // of a relay, or one that stands still: another in its place is heard only then
  address_lock_ = bind_alone(socket_, address, "LIVETAPE_ZMQ_RETRY");
}

RetryServer::~RetryServer() { stop(); }

void RetryServer::start() {
  thread_ = start_thread("retry", [this] { run(); });
}

void RetryServer::stop() {
  context_.shutdown();  // whoever waits on a socket of it is woken with an error
  if (thread_.joinable()) thread_.join();
  socket_.close();
}

void RetryServer::run() {
  Frames request;
  try {
    for (;;) {
      request.clear();
      if (!zmq::recv_multipart(socket_, std::back_inserter(request))) continue;
      // An answer that a client has no room for is dropped: it asks again.
      if (Frames frames = answer(request); !frames.empty()) {
        (void)zmq::send_multipart(socket_, frames, zmq::send_flags::dontwait);
      }
    }
  } catch (const zmq::error_t& error) {
    if (error.num() != ETERM) throw;
  }
}

RetryServer::Frames RetryServer::answer(const Frames& request) {
  const std::string_view kind = request.size() < 2 ? "" : request[1].to_string_view();
  if (request.size() == 2 && kind == "state") return answer_state(request[0]);
  if (request.size() == 2 && kind == "unconfirmed") return answer_unconfirmed(request[0]);
  if (request.size() == 3 && request[2].size() == kRangeBytes) {
    const RetryRange range = read_range(request[2].to_string_view());
    if (kind == "get" && range.first != 0) return answer_get(request[0], range);
    if (kind == "confirm" && request[0].to_string_view() == kRelayAddress) {
      confirm(range);
      return {};
    }
  }
  ++metrics_.bad_retries;
  return {};
}

RetryServer::Frames RetryServer::answer_state(const zmq::message_t& client) {
  auto frames = answer_to(client, "state");
  for (const RetrySource& source : sources_) {
    frames.emplace_back(std::string_view(source.venue));
    frames.push_back(write_range({source.session, source.ring->first(), source.ring->last()}));
  }
  return frames;
}

/// Each session of the venues that have a relay, the oldest first: the first message that is not confirmed, and the
/// last; of the session now also what is not on disk yet.
RetryServer::Frames RetryServer::answer_unconfirmed(const zmq::message_t& client) {
  auto frames = answer_to(client, "unconfirmed");
  const auto add_session = [&frames](const RetrySource& source, const RetryRange& range) {
    frames.emplace_back(std::string_view(source.venue));
    frames.push_back(write_range(range));
  };
  for (const RetrySource& source : sources_) {
    if (source.spool == nullptr) continue;
    const std::uint64_t last = source.ring->last();  // before what is confirmed of it
    for (const SpooledSession& each : source.spool->sessions()) {
      if (each.session != source.session) add_session(source, {each.session, each.first, each.last});
    }
    add_session(source, {source.session, source.spool->confirmed(source.session) + 1, last});
  }
  return frames;
}

/// Numbers that the answer covers and does not have are not kept; those behind it may be asked for next. One that
/// covers nothing says that they are on their way: to be sent, or from memory to the disk.
RetryServer::Frames RetryServer::answer_get(const zmq::message_t& client, const RetryRange& wanted) {
  auto frames = answer_to(client, "got");
  frames.emplace_back();  // for what is covered
  const auto source = std::ranges::find(sources_, wanted.session, &RetrySource::session);
  const bool is_now = source != sources_.end();
  std::uint64_t through = 0;
  if (is_now && wanted.first >= source->ring->first()) {
    through = add_from_memory(*source->ring, wanted, frames);
  } else {
    // Before the disk is looked at: what comes to it meanwhile is not to be taken for lost.
    const std::uint64_t settled = is_now ? std::max(settled_of(*source), wanted.first - 1) : wanted.last;
    through = add_from_disk(wanted, frames).value_or(std::min(settled, wanted.last));
  }
  frames[2] = write_range({wanted.session, wanted.first, through});
  return frames;
}

/// Adds what is in memory of a range, up to the size of an answer; the last number of it. What leaves memory meanwhile
/// is to be asked for again, from the disk.
std::uint64_t RetryServer::add_from_memory(const RetryRing& ring, const RetryRange& wanted, Frames& frames) {
  const std::uint64_t last = std::min(wanted.last, ring.last());
  if (wanted.first > last) return wanted.first - 1;
  std::size_t bytes = 0;
  std::uint64_t next = wanted.first;
  for (const std::uint64_t end = next + kMaxMessages; next <= last && next < end && bytes < kMaxBytes; ++next) {
    const auto message = ring.get(next);
    if (!message) break;
    const auto key = message->key();
    add(wanted.session, {next, {reinterpret_cast<const char*>(key.data()), key.size()}, message->value()}, frames);
    bytes += message->bytes.size();
  }
  return next - 1;
}

/// Up to which number messages are either kept by now or never will be.
std::uint64_t RetryServer::settled_of(const RetrySource& source) {
  const std::uint64_t left_memory = source.ring->first() - 1;
  return source.spool == nullptr ? left_memory : std::min(left_memory, source.spool->settled());
}

/// The same of what is on disk. Numbers rise there: what is left out before a message was refused, or cannot be read,
/// and never comes. What the disk does not give now is to be asked for again. Nothing when it has none of the session
/// from the first of them on.
std::optional<std::uint64_t> RetryServer::add_from_disk(const RetryRange& wanted, Frames& frames) {
  for (const auto& reader : readers_) {
    if (reader == nullptr || !reader->seek(wanted.session, wanted.first)) continue;
    const auto messages = reader->read();
    if (reader->has_failed()) return wanted.first - 1;
    if (messages.empty() || reader->session() != wanted.session) continue;
    for (const SpooledMessage& message : messages) {
      if (message.sequence > wanted.last) return wanted.last;
      add(wanted.session, message, frames);
    }
    return messages.back().sequence;
  }
  return std::nullopt;
}

void RetryServer::add(const SessionId& session, const SpooledMessage& message, Frames& frames) {
  frames.emplace_back(message.key);
  frames.push_back(frame_of(position_of(session, message.sequence)));
  frames.push_back(frame_of(message.value));
  ++metrics_.zeromq_retried;
}

void RetryServer::confirm(const RetryRange& confirmed) {
  for (const RetrySource& source : sources_) {
    if (source.spool != nullptr) source.spool->confirm(confirmed.session, confirmed.last);
  }
}

}  // namespace livetape::bridge
