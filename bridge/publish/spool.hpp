#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.hpp"
#include "core/trade.hpp"
#include "publish/file.hpp"
#include "publish/spooled_message.hpp"

namespace livetape::bridge {

/// The messages of a session that a spool has.
struct SpooledSession {
  SessionId session{};
  std::uint64_t first = 0;  // the oldest that is not confirmed
  std::uint64_t last = 0;
};

/// Messages of a session that a damaged file no longer gives.
struct LostMessages {
  SessionId session{};
  std::uint64_t first = 0;        // above `last` where there are none
  std::uint64_t last = 0;         // at most; no other message has one of these numbers
  std::int64_t from_time_ns = 0;  // event time of the last trade known before them, or else as below
  std::int64_t to_time_ns = 0;    // of the first one behind them, or else when the file was written last
};

/// A record that stands for lost messages.
struct LossRecord {
  std::string key;
  std::vector<std::uint8_t> value;
};

/// What the messages are, so that a spool can tell of those it lost. Called from any thread.
struct LossTeller {
  std::function<std::optional<std::int64_t>(std::span<const std::uint8_t> value)> trade_time_ns;  // none: no trade
  std::function<LossRecord(const LostMessages& lost)> tell;
};

/// A venue's messages on disk until Kafka has them, over the bridge's sessions, in files that each have one session's.
/// What was written outlives the process, not the machine: nobody waits for the disk itself. Each record has a
/// checksum. Behind bytes that are not as they were written a file goes on where records hold again, and what it lost
/// is counted and told in its place; an end that a crash tore off is passed over. Beyond its bound a spool takes no
/// more.
///
/// One thread appends, flushes and clears; all else may be called from any thread.
class Spool {
 public:
  /// Finds what an earlier run left, and tells what of it is damaged.
  /// Throws std::runtime_error that names the folder when it cannot be used, or is used by another process, and one
  /// that names a file that cannot be read.
  /// Without a `teller` what is lost is counted alone.
  Spool(std::filesystem::path folder, const SessionId& session, std::uint64_t max_bytes, VenueMetrics& metrics,
        std::optional<LossTeller> teller = std::nullopt);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  /// Adds a message to the batch that `flush` writes.
  void append(std::uint64_t sequence, std::string_view key, std::span<const std::uint8_t> value);
  /// Writes the batch; false, with the reason in the log, when the bound is reached or the disk does not take it. The
  /// batch is there until `clear`.
  [[nodiscard]] bool flush();
  [[nodiscard]] bool has_batch() const noexcept { return !batch_.empty(); }
  /// The batch's messages, valid until it is added to or cleared: from memory, so that no checksum is looked at.
  void read_batch(std::vector<SpooledMessage>& out) const;
  void clear() noexcept;

  /// Kafka has all of a session's messages up to this one: files that have no others are deleted. A session that the
  /// spool does not know is passed over.
  void confirm(const SessionId& session, std::uint64_t sequence);
  /// Up to which message Kafka has a session; 0 before the first.
  [[nodiscard]] std::uint64_t confirmed(const SessionId& session) const;
  /// Up to which message the session now was written or refused: what comes behind it is still to be.
  [[nodiscard]] std::uint64_t settled() const;
  /// What is not confirmed, the oldest session first.
  [[nodiscard]] std::vector<SpooledSession> sessions() const;

 private:
  friend class SpoolReader;

  using IndexEntry = std::pair<std::uint64_t, std::uint64_t>;  // a message's number, and where it begins

  /// Damaged bytes between good ones.
  struct Hole {
    std::uint64_t end = 0;
    LostMessages lost;
  };
  using Holes = std::map<std::uint64_t, Hole>;  // by where they begin

  /// One file. `index` has some messages, a step apart, for whoever looks for one.
  struct Segment {
    std::uint64_t number = 0;
    SessionId session{};
    std::uint64_t first = 0;
    std::uint64_t last = 0;  // 0 while it has none
    std::uint64_t end = 0;   // bytes that it goes on for; behind them are torn ones
    std::vector<IndexEntry> index;
    Holes holes;
    std::optional<std::int64_t> newest_ns{};  // event time of the last trade that an earlier run left in it
  };
  struct Contents;

  void lock_folder();
  void load();
  [[nodiscard]] bool load_segment(std::uint64_t number);
  [[nodiscard]] SessionId session_in(std::span<const std::uint8_t> bytes, const Contents& contents,
                                     std::uint64_t number) const;
  void end_before(const Segment& next);
  [[nodiscard]] std::uint64_t before(const SessionId& session) const;
  [[nodiscard]] Holes holes_in(const Segment& segment, const Contents& contents) const;
  [[nodiscard]] std::optional<std::int64_t> time_of(std::span<const SpooledMessage> messages, bool is_last) const;
  [[nodiscard]] std::optional<std::int64_t> newest_before(std::uint64_t number) const;
  [[nodiscard]] std::int64_t written_ns(std::uint64_t number) const;
  void search(std::uint64_t number, std::uint64_t from);
  void note_loss(const Segment& segment, const Holes::value_type& hole);
  void read_confirmed();
  void save_confirmed();
  [[nodiscard]] bool write_batch();
  [[nodiscard]] bool begin_segment();
  void refuse(const std::string& reason);
  void note_size();
  [[nodiscard]] std::uint64_t confirmed_of(const SessionId& session) const;
  [[nodiscard]] std::filesystem::path path_of(std::uint64_t number) const;

  std::filesystem::path folder_;
  SessionId session_;
  std::uint64_t max_bytes_;
  std::uint64_t segment_bytes_;
  VenueMetrics& metrics_;
  std::optional<LossTeller> teller_;
  std::pair<SessionId, std::uint64_t> left_confirmed_{};  // by an earlier run
  File lock_;
  File confirmed_file_;
  File active_;  // the last segment's, to append
  std::vector<std::uint8_t> batch_;
  std::uint64_t batch_count_ = 0;
  std::uint64_t batch_first_ = 0;
  std::uint64_t batch_last_ = 0;
  bool is_refusing_ = false;
  std::int64_t saved_at_ns_ = 0;

  mutable std::mutex mutex_;  // of all below
  std::deque<Segment> segments_;
  std::uint64_t bytes_ = 0;
  std::uint64_t next_number_ = 1;
  std::uint64_t settled_ = 0;
  std::map<SessionId, std::uint64_t> confirmed_;
};

/// Reads a spool in order, from where it is set.
class SpoolReader {
 public:
  /// Begins at the oldest message.
  explicit SpoolReader(Spool& spool) : spool_(spool) {}

  /// Sets it to a message, or to the session's next where the spool did not take that one; false when it has none from
  /// there on.
  [[nodiscard]] bool seek(const SessionId& session, std::uint64_t sequence);
  /// Sets it behind the newest.
  void seek_end();
  [[nodiscard]] bool is_at_end() const;
  /// The next messages, some hundred KiB of one session, valid until the next call; none at the end, or where the disk
  /// gives none now: then it stays where it is. Those that are confirmed are left out. For those
  /// that are damaged a record of the spool's teller stands, with the number of the last.
  std::span<const SpooledMessage> read();
  /// Whether the last `read` gave none though there may be some.
  [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }
  /// Whose messages `read` gave.
  [[nodiscard]] const SessionId& session() const noexcept { return session_; }

 private:
  /// How far a segment goes until it ends or is damaged, and what is damaged of it where the reader is.
  struct Place {
    std::uint64_t end;
    std::optional<Spool::Hole> hole;
  };

  [[nodiscard]] std::optional<Place> place();
  void enter(const Spool::Segment& segment);
  [[nodiscard]] bool fill(std::uint64_t end);
  [[nodiscard]] bool pass_over(const Spool::Hole& hole);

  Spool& spool_;
  File file_;
  std::uint64_t number_ = 0;  // of the segment; 0 before the first
  std::uint64_t offset_ = 0;
  std::uint64_t read_ = 0;  // the message before `offset_`
  std::uint64_t from_ = 0;  // messages before it are passed over
  LossRecord told_;
  bool has_failed_ = false;
  SessionId session_{};
  std::vector<std::uint8_t> bytes_;
  std::vector<SpooledMessage> messages_;
};

/// The whole, good records at the beginning of some bytes, whose numbers rise from above `floor`; how many bytes they
/// are.
[[nodiscard]] std::size_t parse_records(std::span<const std::uint8_t> bytes, std::uint64_t floor,
                                        std::vector<SpooledMessage>& out);

}  // namespace livetape::bridge
