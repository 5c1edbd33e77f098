#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "core/counter.hpp"
#include "nic/feed_hearing.hpp"
#include "nic/held_messages.hpp"
#include "nic/moldudp64.hpp"
#include "nic/server_search.hpp"

namespace livetape::bridge::mold {

/// Hears of a session's messages, each once and in order. All calls come from within the receiver's.
class Listener {
 public:
  Listener() = default;
  virtual ~Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// A session begins: the next message is its first.
  virtual void on_session(const Session& session) = 0;
  /// Messages of one packet; one that waited for others says when it came itself.
  virtual void on_messages(Messages messages, const Arrival& arrival) = 0;
  /// Messages from `first` to before `end` could not be had.
  virtual void on_lost(std::uint64_t first, std::uint64_t end) = 0;
  /// The session has ended, and all of it came or was given up.
  virtual void on_end() = 0;
  /// Messages of another session come while ours is heard, and are left out. Told once in a session.
  virtual void on_other_session(const Session& session) = 0;
  /// A packet to be sent to the re-request server.
  virtual void on_request(std::span<const std::uint8_t> packet) = 0;
};

/// What a receiver counts.
struct ReceiverMetrics {
  Counter packets{0};        // of all lines and of the re-request server
  Counter heartbeats{0};     // end-of-session packets among them
  Counter malformed{0};      // packets that are cut off, or are none
  Counter duplicates{0};     // packets that brought nothing new: the other line was quicker
  Counter other_session{0};  // packets of another session while ours was heard, and answers about one
  Counter messages{0};       // delivered
  Counter gaps{0};           // times that a message was missing when a later one was known
  Counter requests{0};       // sent to the re-request server
  Counter doubted{0};        // packets of a new session, or far ahead, that waited for another to agree
  Counter too_far_ahead{0};  // messages that came too early to be held; they are asked for when it is their turn
  Counter lost_messages{0};  // given up
  Counter sessions{0};
  Counter ended_sessions{0};
};

/// Makes one stream of the lines of a MoldUDP64 feed: takes each message from whichever packet has it first, holds back
/// what came too early, asks the re-request server for what no line brought, and gives up what that has not either. It
/// has neither socket nor clock of its own, so that tests bring both.
///
/// A session that is heard is left for no other before it ends: whoever else sends there may go on for long. One of
/// which nothing new has come for some heartbeats, on any line or from the server, is, for one that was before as for a
/// new one; and one of which there are heartbeats alone is for one that has messages.
///
/// A packet of such another session, or further ahead than messages are held, is believed once a second one agrees with
/// it: a single one of a faulty sender would silence the feed, whose own packets would all be of the past. So is one of
/// a session that has ended, once it is silent: the next session may have the same name. What goes on behind the end
/// without such a pause is the session itself, whose end was said too early.
///
/// What the server has not answered after some attempts it lacks, or it is gone: which of the two, and what it has
/// behind that, is searched for by single messages: a hole in what it has costs nothing behind the hole.
///
/// A server that answers nothing for as long as anything is asked for is done without, until it answers again: it would
/// hold up each message behind a missing one, and a feed whose lines lose some would never be up with them. It is asked
/// for one message a second, and that one is waited for.
///
/// With a re-request server a session is taken from its first message on, whenever we came to it; without one from the
/// first that is heard.
class Receiver {
 public:
  /// How long a message that is missing may still come before it is asked for; or is given up, where it can come out of
  /// its order alone: by a single line with no server to ask.
  static constexpr std::int64_t kPatienceNs = 5'000'000;
  /// The same where nobody but another line can bring it: one of another route may be tens of milliseconds behind.
  static constexpr std::int64_t kOtherLineNs = 200'000'000;
  /// How long an answer may take.
  static constexpr std::int64_t kTimeoutNs = 100'000'000;
  /// How often the same is asked for.
  static constexpr int kAttempts = 10;
  /// How often a probe asks for its message while it waits for an answer, where what the server has is searched for.
  static constexpr int kProbeAttempts = 2;
  /// How often a silent server is asked whether it is back.
  static constexpr std::int64_t kProbeEveryNs = 1'000'000'000;
  /// How long a packet that is doubted waits for another: some heartbeats.
  static constexpr std::int64_t kDoubtNs = 10'000'000'000;
  /// Requests under way at most, and how many messages one of them asks for: more than go into a packet of ITCH.
  static constexpr std::size_t kRequests = 8;
  static constexpr std::uint16_t kMessagesPerRequest = 64;

  Receiver(Listener& listener, ReceiverMetrics& metrics, bool has_server, std::size_t lines) noexcept
      : listener_(listener),
        metrics_(metrics),
        has_server_(has_server),
        patience_ns_(has_server || lines < 2 ? kPatienceNs : kOtherLineNs) {}

  /// Takes a packet, of whichever line; `now_ns` is steady time, and the arrival for the listener alone.
  void take(std::span<const std::uint8_t> payload, std::int64_t now_ns, const Arrival& arrival = {});
  /// Takes a packet of the server: it has messages of our session, and begins none.
  void take_answer(std::span<const std::uint8_t> payload, std::int64_t now_ns, const Arrival& arrival = {});
  /// Does what is due: asks, asks again, gives up. To be called often, and after each burst of packets.
  void tick(std::int64_t now_ns);

  /// Whether messages are missing: what is delivered is behind what is known to be.
  [[nodiscard]] bool is_behind() const noexcept { return next_ < end_; }
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_ && !is_behind(); }
  [[nodiscard]] Hearing hearing(std::int64_t now_ns) const noexcept { return hearing_.at(now_ns); }
  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return next_; }

 private:
  struct Request {
    std::uint64_t first;
    std::uint64_t end;
    std::int64_t sent_ns;
    int attempts;
  };

  /// Messages before `end`, from those of the one before this on, are known of since a time.
  struct KnownEnd {
    std::uint64_t end;
    std::int64_t since_ns;
  };
  static constexpr std::int64_t kStepsOfPatience = 50;  // to so much of it exact, and no more of them are kept

  struct Doubted {
    std::vector<std::uint8_t> payload;
    Header header;
    std::int64_t since_ns;
    Arrival arrival;
  };
  /// A session that was heard to its end, which is behind its last message.
  struct Ended {
    Session session;
    std::uint64_t end;
  };

  [[nodiscard]] std::optional<Packet> read(std::span<const std::uint8_t> payload);
  void take(const Packet& packet, std::span<const std::uint8_t> payload, std::int64_t now_ns, const Arrival& arrival);
  [[nodiscard]] bool is_refused(const Packet& packet, std::int64_t now_ns) const noexcept;
  [[nodiscard]] bool is_over(const Packet& packet) const noexcept;
  void refuse(const Packet& packet);
  [[nodiscard]] bool is_silent() const noexcept;
  [[nodiscard]] bool is_doubtful(const Packet& packet) const noexcept;
  [[nodiscard]] bool begins_again(const Packet& packet) const noexcept;
  /// Whether a packet says no more than where the session has ended.
  [[nodiscard]] bool is_at_end(const Packet& packet) const noexcept;
  [[nodiscard]] bool agrees(const Header& header, std::int64_t now_ns) const noexcept;
  void doubt(std::span<const std::uint8_t> payload, const Header& header, std::int64_t now_ns, const Arrival& arrival);
  void accept(const Packet& packet, std::int64_t now_ns, const Arrival& arrival);
  void begin(const Header& header);
  void receive(const Packet& packet, const Arrival& arrival);
  void note_ends(std::uint64_t end_before, std::int64_t now_ns);
  void forget_ends();
  void deliver(Messages messages, const Arrival& arrival);
  void deliver_held();
  void ask(std::int64_t now_ns);
  void begin_search();
  void search(std::int64_t now_ns);
  void shorten_requests();
  void note_answer(std::int64_t now_ns);
  void go_on_alone(std::int64_t now_ns);
  [[nodiscard]] bool renew_requests(std::int64_t now_ns);
  void add_requests(std::int64_t now_ns);
  void send(Request& request, std::int64_t now_ns);
  void give_up();
  void skip_to(std::uint64_t sequence);
  void lose_missing(std::uint64_t end);
  void lose_until(std::uint64_t end);
  void forget_requests();
  void tell_end();
  [[nodiscard]] bool is_missing(std::uint64_t sequence) const noexcept {
    return sequence >= next_ && sequence < end_ && !held_.has(sequence);
  }

  Listener& listener_;
  ReceiverMetrics& metrics_;
  bool has_server_;
  std::int64_t patience_ns_;
  HeldMessages held_;
  FeedHearing hearing_;
  std::int64_t ticked_ns_ = 0;
  std::optional<Session> session_;
  std::optional<Ended> before_;  // the session before this one, where it had ended
  std::optional<Doubted> doubted_;
  std::uint64_t next_ = 1;                // to be delivered
  std::uint64_t end_ = 1;                 // behind the last that is known to be
  std::optional<std::uint64_t> over_at_;  // where the session is over, as the sender said
  bool has_ended_ = false;                // and the listener was told
  bool has_messages_ = false;             // of the session, some have come
  bool has_told_other_ = false;           // that messages of another session come beside it
  std::deque<KnownEnd> ends_;             // while we are behind; the first is that of the next message
  std::vector<Request> requests_;
  std::int64_t answered_ns_ = 0;   // when what was asked for came last
  bool is_server_silent_ = false;  // for as long as anything is asked for, and until it brings what it was asked for
  std::optional<ServerSearch> search_;
  std::optional<Request> probe_;  // the last question of the search, or to a server that is silent
};

}  // namespace livetape::bridge::mold
