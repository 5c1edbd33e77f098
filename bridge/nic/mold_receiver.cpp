#include "nic/mold_receiver.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace livetape::bridge::mold {

void Receiver::take(std::span<const std::uint8_t> payload, std::int64_t now_ns, const Arrival& arrival) {
  const auto packet = read(payload);
  if (!packet) return;
  if (is_refused(*packet, now_ns)) return refuse(*packet);
  take(*packet, payload, now_ns, arrival);
}

void Receiver::take_answer(std::span<const std::uint8_t> payload, std::int64_t now_ns, const Arrival& arrival) {
  const auto packet = read(payload);
  if (!packet) return;
  if (packet->header.session != session_ || begins_again(*packet)) {
    ++metrics_.other_session;
    return;
  }
  take(*packet, payload, now_ns, arrival);
}

std::optional<Packet> Receiver::read(std::span<const std::uint8_t> payload) {
  ++metrics_.packets;
  auto packet = parse(payload);
  if (!packet) ++metrics_.malformed;
  return packet;
}

void Receiver::take(const Packet& packet, std::span<const std::uint8_t> payload, std::int64_t now_ns,
                    const Arrival& arrival) {
  if (!is_doubtful(packet)) return accept(packet, now_ns, arrival);
  if (!agrees(packet.header, now_ns)) return doubt(payload, packet.header, now_ns, arrival);
  const Doubted before = *std::exchange(doubted_, std::nullopt);
  const Packet other = *parse(before.payload);
  // Either line may be behind the other: we go on from the lower of the two.
  const bool is_lower = packet.header.sequence < other.header.sequence;
  const Header& first = is_lower ? packet.header : other.header;
  if (begins_again(packet)) {
    session_.reset();
  } else if (!has_server_ && first.session == *session_) {
    skip_to(first.sequence);
  }
  if (is_lower) accept(packet, now_ns, arrival);
  accept(other, now_ns, before.arrival);
  if (!is_lower) accept(packet, now_ns, arrival);
}

/// Whether a packet is of a session that may not take the place of ours: ours is heard. One that has ended may be heard
/// for long, saying so, and gives its place to any that has not. Heartbeats alone hold no place against messages, nor
/// against what agrees with one that is doubted still: messages may come seldom.
bool Receiver::is_refused(const Packet& packet, std::int64_t now_ns) const noexcept {
  if (!session_ || packet.header.session == *session_ || is_silent()) return false;
  const bool is_of_messages = !packet.messages.empty() || agrees(packet.header, now_ns);
  if (!has_messages_ && is_of_messages && !is_over(packet)) return false;
  return !has_ended_ || packet.header.count == Header::kEndOfSession;
}

/// Whether a packet is of the session before ours and has nothing new of it, as one that comes late by a lagging line.
bool Receiver::is_over(const Packet& packet) const noexcept {
  return before_ && before_->session == packet.header.session && end_of(packet) <= before_->end;
}

/// Packets with nothing new are worth no word: nothing is missed, and those of a session that ended go on for long.
void Receiver::refuse(const Packet& packet) {
  ++metrics_.other_session;
  if (packet.messages.empty() || is_over(packet) || std::exchange(has_told_other_, true)) return;
  listener_.on_other_session(packet.header.session);
}

/// By what was taken until the last tick: behind a pause of our own, what waits to be read is not missing.
bool Receiver::is_silent() const noexcept { return hearing_.is_stale(ticked_ns_); }

/// Whether a packet would end the session, or leave more behind than can be held: everything after it hangs on it.
bool Receiver::is_doubtful(const Packet& packet) const noexcept {
  if (!session_) return false;
  if (packet.header.session != *session_) return true;
  return begins_again(packet) || end_of(packet) > end_ + HeldMessages::kWindow;
}

/// Whether a packet may be of a session that has the name of the one that has ended: of that one there is only who says
/// where it ended.
bool Receiver::begins_again(const Packet& packet) const noexcept {
  return has_ended_ && packet.header.session == session_ && is_silent() && !is_at_end(packet);
}

bool Receiver::is_at_end(const Packet& packet) const noexcept {
  const std::uint64_t end = end_of(packet);
  return packet.messages.empty() && (end == next_ || end == over_at_);
}

bool Receiver::agrees(const Header& header, std::int64_t now_ns) const noexcept {
  if (!doubted_ || doubted_->header.session != header.session || now_ns - doubted_->since_ns > kDoubtNs) return false;
  const auto [lower, higher] = std::minmax(header.sequence, doubted_->header.sequence);
  return higher - lower <= HeldMessages::kWindow;
}

void Receiver::doubt(std::span<const std::uint8_t> payload, const Header& header, std::int64_t now_ns,
                     const Arrival& arrival) {
  ++metrics_.doubted;
  doubted_.emplace(Doubted{{payload.begin(), payload.end()}, header, now_ns, arrival});
}

void Receiver::accept(const Packet& packet, std::int64_t now_ns, const Arrival& arrival) {
  if (session_ != packet.header.session) begin(packet.header);
  const std::uint64_t end_before = end_;
  const std::uint64_t first = packet.header.sequence;
  if (probe_ && first <= probe_->first && probe_->first < end_of(packet)) note_answer(now_ns);
  hearing_.see(end_of(packet) < next_ && !(has_ended_ && is_at_end(packet)), now_ns);
  receive(packet, arrival);
  note_ends(end_before, now_ns);
  tell_end();
}

/// Remembers when each missing message was first known of.
void Receiver::note_ends(std::uint64_t end_before, std::int64_t now_ns) {
  if (is_behind() && end_ > end_before) {
    if (ends_.empty()) ++metrics_.gaps;
    const bool is_soon = !ends_.empty() && now_ns - ends_.back().since_ns < patience_ns_ / kStepsOfPatience;
    if (is_soon || std::ssize(ends_) > kStepsOfPatience) {
      ends_.back().end = end_;
    } else {
      ends_.push_back({end_, now_ns});
    }
  }
  forget_ends();
}

void Receiver::forget_ends() {
  while (!ends_.empty() && ends_.front().end <= next_) ends_.pop_front();
  if (!is_behind()) forget_requests();
}

void Receiver::begin(const Header& header) {
  if (session_) skip_to(next_);  // what is held is not lost
  before_ = session_ && has_ended_ ? std::optional<Ended>({*session_, next_}) : std::nullopt;
  session_ = header.session;
  held_.clear();
  forget_requests();
  probe_.reset();
  ends_.clear();
  next_ = end_ = 1;
  over_at_.reset();
  has_messages_ = has_told_other_ = has_ended_ = is_server_silent_ = false;
  ++metrics_.sessions;
  listener_.on_session(header.session);
  if (!has_server_ && header.sequence > 1) lose_until(header.sequence);
}

void Receiver::receive(const Packet& packet, const Arrival& arrival) {
  const Header& header = packet.header;
  std::uint64_t sequence = header.sequence;
  Messages messages = packet.messages;
  if (messages.empty()) {
    ++metrics_.heartbeats;
  } else {
    has_messages_ = true;
  }
  const std::uint64_t end = end_of(packet);
  // Messages behind it show that whoever said that it ended was wrong; a number alone may be anybody's.
  if (over_at_ && !messages.empty() && end > std::max(*over_at_, next_)) {
    over_at_.reset();
    has_ended_ = false;
  }
  end_ = std::max(end_, end);
  if (header.count == Header::kEndOfSession && end == end_) over_at_ = end;
  if (end <= next_) {
    if (!messages.empty()) ++metrics_.duplicates;
    return;
  }
  for (; sequence < next_; ++sequence) messages.pop();
  if (sequence == next_) {
    deliver(messages, arrival);
    return deliver_held();
  }
  bool is_new = messages.empty();
  for (; !messages.empty(); messages.pop(), ++sequence) {
    // With no server to ask for it again, what has come is worth more than what may still come.
    while (!has_server_ && sequence >= next_ + HeldMessages::kWindow) give_up();
    if (sequence < next_ || held_.has(sequence)) continue;
    is_new = true;
    if (sequence - next_ < HeldMessages::kWindow) {
      held_.keep(sequence, messages.front(), arrival);
    } else {
      ++metrics_.too_far_ahead;
    }
  }
  if (!is_new) ++metrics_.duplicates;
  deliver_held();
}

/// Some of these may be held as well: their places become those of later messages, which know by the number.
void Receiver::deliver(Messages messages, const Arrival& arrival) {
  next_ += messages.count();
  metrics_.messages += messages.count();
  listener_.on_messages(messages, arrival);
}

void Receiver::deliver_held() {
  while (next_ < end_ && held_.has(next_)) deliver(held_.take(next_), held_.arrival_of(next_));
}

void Receiver::tick(std::int64_t now_ns) {
  ticked_ns_ = now_ns;
  if (ends_.empty() || now_ns - ends_.front().since_ns < patience_ns_) return;
  if (has_server_) {
    ask(now_ns);
  } else {
    give_up();
  }
  tell_end();
}

void Receiver::ask(std::int64_t now_ns) {
  if (is_server_silent_) return go_on_alone(now_ns);
  if (search_ && search_->begin() != next_) forget_requests();  // what was given up nearly came after all
  if (!search_ && !renew_requests(now_ns)) begin_search();
  if (search_) return search(now_ns);
  add_requests(now_ns);
}

/// Up to what is held, that included: what answers for it is a server, whatever it lacks.
void Receiver::begin_search() {
  search_.emplace(next_, std::min(held_.first_from(next_, end_) + 1, end_));
  probe_.reset();
}

/// What the server lacks is given up up to the first message that it has, and no further.
void Receiver::search(std::int64_t now_ns) {
  constexpr std::int64_t kPauseNs = kTimeoutNs / kProbeAttempts;
  while (!search_->is_over()) {
    if (!probe_) probe_ = Request{search_->probe(), search_->probe() + 1, 0, 0};
    if (probe_->attempts > 0 && now_ns - probe_->sent_ns < kPauseNs) return;
    if (probe_->attempts < kProbeAttempts) return send(*probe_, now_ns);
    search_->take(false);
    probe_.reset();
  }
  is_server_silent_ = now_ns - answered_ns_ >= kAttempts * kTimeoutNs;
  lose_missing(search_->found());
  search_.reset();
  shorten_requests();
}

/// What was lost of a request was not answered, and what is left of it is asked for anew.
void Receiver::shorten_requests() {
  std::erase_if(requests_, [&](const Request& request) { return request.end <= next_; });
  for (Request& request : requests_) {
    if (request.first < next_) request = {next_, request.end, request.sent_ns, 0};
  }
}

/// What the last probe asked for has come.
void Receiver::note_answer(std::int64_t now_ns) {
  answered_ns_ = now_ns;
  is_server_silent_ = false;
  if (search_) search_->take(true);
  probe_.reset();
}

/// Asks now and then for the message that is missing first, and waits for that one: what the server did not answer may
/// be all that it lacks. Everything else is given up as where there is no server.
void Receiver::go_on_alone(std::int64_t now_ns) {
  requests_.clear();
  if (!probe_ || now_ns - probe_->sent_ns >= kProbeEveryNs) {
    probe_ = Request{next_, next_ + 1, 0, 0};
    return send(*probe_, now_ns);
  }
  if (now_ns - probe_->sent_ns < kTimeoutNs) return;
  while (!ends_.empty() && now_ns - ends_.front().since_ns >= patience_ns_) give_up();
}

/// Drops the requests that are answered, and sends the others again: at once where an answer had a part of what was
/// asked for, else when its time is up. False when that was tried too often with the first; others wait for their turn.
bool Receiver::renew_requests(std::int64_t now_ns) {
  for (Request& request : requests_) {
    const std::uint64_t asked_first = request.first;
    while (request.first < request.end && !is_missing(request.first)) ++request.first;
    const bool is_answered = request.first > asked_first;
    if (is_answered) {
      request.attempts = 0;
      answered_ns_ = now_ns;
    }
    if (request.first == request.end || (!is_answered && now_ns - request.sent_ns < kTimeoutNs)) continue;
    if (request.attempts < kAttempts) {
      send(request, now_ns);
    } else if (request.first == next_) {
      return false;
    }
  }
  std::erase_if(requests_, [](const Request& request) { return request.first == request.end; });
  return true;
}

/// Asks for what is missing and not yet asked for, from the first on, as far as it could be held.
void Receiver::add_requests(std::int64_t now_ns) {
  std::uint64_t sequence = requests_.empty() ? next_ : std::max(next_, requests_.back().end);
  const std::uint64_t end = std::min(end_, next_ + HeldMessages::kWindow);
  while (requests_.size() < kRequests) {
    while (sequence < end && !is_missing(sequence)) ++sequence;
    if (sequence == end) return;
    Request request{sequence, sequence, 0, 0};
    while (request.end < end && request.end - request.first < kMessagesPerRequest && is_missing(request.end)) {
      ++request.end;
    }
    sequence = request.end;
    send(request, now_ns);
    requests_.push_back(request);
  }
}

void Receiver::send(Request& request, std::int64_t now_ns) {
  request.sent_ns = now_ns;
  ++request.attempts;
  ++metrics_.requests;
  const auto count = static_cast<std::uint16_t>(request.end - request.first);
  listener_.on_request(mold::request({*session_, request.first, count}));
}

/// Goes on with what is held, or with what was known of later.
void Receiver::give_up() {
  const std::uint64_t known = ends_.empty() ? end_ : ends_.front().end;
  lose_missing(std::min(held_.first_from(next_, end_), known));
}

/// Goes on far ahead, where more is missing than could be held until somebody brings it.
void Receiver::skip_to(std::uint64_t sequence) {
  while (is_behind()) give_up();
  if (next_ < sequence) lose_until(sequence);
}

/// Loses what is missing before a number, and delivers what is held among it and right behind.
void Receiver::lose_missing(std::uint64_t end) {
  while (next_ < end) {
    lose_until(held_.first_from(next_, end));
    deliver_held();
  }
  forget_ends();
}

void Receiver::forget_requests() {
  requests_.clear();
  search_.reset();
}

void Receiver::lose_until(std::uint64_t end) {
  metrics_.lost_messages += end - next_;
  listener_.on_lost(next_, end);
  next_ = end;
  end_ = std::max(end_, end);
}

void Receiver::tell_end() {
  if (!over_at_ || has_ended_ || is_behind()) return;
  has_ended_ = true;
  ++metrics_.ended_sessions;
  listener_.on_end();
}

}  // namespace livetape::bridge::mold
