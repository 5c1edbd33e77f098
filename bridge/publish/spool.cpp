#include "publish/spool.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <system_error>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/log.hpp"
#include "core/time.hpp"

namespace livetape::bridge {
namespace {

constexpr std::string_view kMagic = "LTSPOOL1";
constexpr std::size_t kChecksum = sizeof(std::uint64_t);
constexpr std::size_t kFileHeader = kMagic.size() + sizeof(SessionId) + kChecksum;
constexpr std::uint64_t kLargestSegment = std::uint64_t{16} << 20;
constexpr std::uint64_t kSegmentsAtLeast = 4;
constexpr std::uint64_t kRoomToGoOn = 8;  // an eighth
constexpr std::uint64_t kIndexStep = std::uint64_t{64} << 10;
constexpr std::size_t kReadBytes = std::size_t{256} << 10;
constexpr std::size_t kLargestRecord = std::size_t{2} << 10;  // of an encoder: its buffer, and the longest key
constexpr std::uint64_t kLastNumber = std::numeric_limits<std::int64_t>::max();  // what Avro's `long` holds
constexpr std::int64_t kSaveEveryNs = 50'000'000;
constexpr std::string_view kSuffix = ".spool";

/// What stands before a record's key and value; the checksum is of all behind itself.
struct RecordHeader {
  std::uint64_t checksum;
  std::uint64_t sequence;
  std::uint32_t key_size;
  std::uint32_t value_size;
};

std::uint64_t checksum_of(std::span<const std::uint8_t> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

/// Bytes with their checksum behind them.
template <std::size_t kSize>
std::array<std::uint8_t, kSize + kChecksum> sealed(const std::array<std::uint8_t, kSize>& bytes) {
  std::array<std::uint8_t, kSize + kChecksum> out{};
  std::ranges::copy(bytes, out.begin());
  const std::uint64_t checksum = checksum_of(bytes);
  std::memcpy(out.data() + kSize, &checksum, kChecksum);
  return out;
}

bool is_sealed(std::span<const std::uint8_t> bytes) {
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + bytes.size() - kChecksum, kChecksum);
  return checksum == checksum_of(bytes.first(bytes.size() - kChecksum));
}

std::string reason_of(int code) { return std::error_code(code, std::generic_category()).message(); }

/// Numbers of a folder's segments, rising.
std::vector<std::uint64_t> numbers_in(const std::filesystem::path& folder) {
  std::vector<std::uint64_t> numbers;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().stem().string();
    std::uint64_t number = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && entry.path().extension() == kSuffix) numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

std::size_t size_of(const RecordHeader& header) {
  return sizeof header + std::size_t{header.key_size} + header.value_size;
}

RecordHeader header_at(std::span<const std::uint8_t> bytes) {
  RecordHeader header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

SpooledMessage message_in(const RecordHeader& header, std::span<const std::uint8_t> record) {
  const auto key = record.subspan(sizeof header, header.key_size);
  return {header.sequence,
          {reinterpret_cast<const char*>(key.data()), key.size()},
          record.subspan(sizeof header + header.key_size)};
}

/// A good record of a number above `floor` that some bytes begin with; empty when they do not.
std::span<const std::uint8_t> record_at(std::span<const std::uint8_t> bytes, std::uint64_t floor) {
  if (bytes.size() < sizeof(RecordHeader)) return {};
  const RecordHeader header = header_at(bytes);
  if (header.sequence <= floor || header.sequence > kLastNumber) return {};
  if (size_of(header) > std::min(kLargestRecord, bytes.size())) return {};
  const auto record = bytes.first(size_of(header));
  return header.checksum == checksum_of(record.subspan(kChecksum)) ? record : std::span<const std::uint8_t>{};
}

/// Whether records begin here, beyond doubt. What others sent may hold what looks like records, but these end within
/// the record that they are in, so good ones have to follow one another for as long as none is, or to the end.
bool has_records_at(std::span<const std::uint8_t> bytes, std::uint64_t floor) {
  std::size_t length = 0;
  while (length < kLargestRecord && length < bytes.size()) {
    const auto record = record_at(bytes.subspan(length), floor);
    if (record.empty()) return false;
    floor = header_at(record).sequence;
    length += record.size();
  }
  return true;
}

/// Where records go on behind damaged bytes; nothing where they do not. From each place no more is looked at than two
/// records can have.
std::optional<std::size_t> find_records(std::span<const std::uint8_t> bytes, std::uint64_t floor) {
  for (std::size_t at = 1; at + sizeof(RecordHeader) <= bytes.size(); ++at) {
    if (has_records_at(bytes.subspan(at), floor)) return at;
  }
  return std::nullopt;
}

/// Whether bytes that hold no record are the beginning of one, as a crash leaves it.
bool is_torn(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < sizeof(RecordHeader)) return true;
  const std::size_t size = size_of(header_at(bytes));
  return size <= kLargestRecord && size > bytes.size();
}

std::uint64_t most_records_in(std::uint64_t bytes) { return std::max<std::uint64_t>(bytes / sizeof(RecordHeader), 1); }

bool is_file_header(std::span<const std::uint8_t> bytes) {
  return std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0 && is_sealed(bytes.first(kFileHeader));
}

/// A file's bytes; what the disk lost of them, or the file no longer has, is zeros.
std::vector<std::uint8_t> read_what_is_left(const std::filesystem::path& path, std::uint64_t size) {
  std::vector<std::uint8_t> bytes(size);
  const File file(path, O_RDONLY);
  for (std::uint64_t at = 0; at < size; at += kIndexStep) {
    (void)file.read_at(std::span(bytes).subspan(at, std::min(kIndexStep, size - at)), at);
  }
  return bytes;
}

}  // namespace

std::size_t parse_records(std::span<const std::uint8_t> bytes, std::uint64_t floor, std::vector<SpooledMessage>& out) {
  std::size_t at = 0;
  for (auto record = record_at(bytes, floor); !record.empty(); record = record_at(bytes.subspan(at), floor)) {
    out.push_back(message_in(header_at(record), record));
    floor = out.back().sequence;
    at += record.size();
  }
  return at;
}

/// What a file has behind its header: messages, and damaged bytes with how many messages are before them.
struct Spool::Contents {
  struct Damage {
    std::uint64_t begin;
    std::uint64_t end;
    std::size_t messages;
  };

  /// Of numbers above `floor`. Only an end that was not written whole may be torn.
  Contents(std::span<const std::uint8_t> bytes, std::uint64_t floor, bool is_whole) : data(bytes.data()) {
    for (end = std::min(kFileHeader, bytes.size());;) {
      end += parse_records(bytes.subspan(end), floor, messages);
      if (!messages.empty()) floor = messages.back().sequence;
      const auto next = find_records(bytes.subspan(end), floor);
      if (!next) break;
      damages.push_back({end, end + *next, messages.size()});
      end += *next;
    }
    if (end == bytes.size() || (!is_whole && is_torn(bytes.subspan(end)))) return;
    damages.push_back({end, bytes.size(), messages.size()});
    end = bytes.size();
  }

  /// Where a message begins.
  [[nodiscard]] std::uint64_t offset_of(const SpooledMessage& message) const noexcept {
    return static_cast<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(message.key.data()) - data) -
           sizeof(RecordHeader);
  }

  const std::uint8_t* data;
  std::vector<SpooledMessage> messages;
  std::vector<Damage> damages;
  std::size_t end = 0;
};

Spool::Spool(std::filesystem::path folder, const SessionId& session, std::uint64_t max_bytes, VenueMetrics& metrics,
             std::optional<LossTeller> teller)
    : folder_(std::move(folder)),
      session_(session),
      max_bytes_(max_bytes),
      segment_bytes_(std::min(kLargestSegment, max_bytes / kSegmentsAtLeast)),
      metrics_(metrics),
      teller_(std::move(teller)) {
  lock_folder();
  load();
}

Spool::~Spool() {
  if (!sessions().empty()) {
    save_confirmed();
    return;
  }
  std::error_code ignored;  // what is left is sent again by the next run
  for (const Segment& segment : segments_) std::filesystem::remove(path_of(segment.number), ignored);
  std::filesystem::remove(folder_ / "confirmed", ignored);
}

void Spool::lock_folder() {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  lock_ = File(folder_ / "lock", O_RDWR | O_CREAT);
  confirmed_file_ = File(folder_ / "confirmed", O_RDWR | O_CREAT);
  if (error || !lock_.is_open() || !confirmed_file_.is_open()) {
    throw std::runtime_error("messages cannot be kept in " + folder_.string() + ": " +
                             (error ? error.message() : reason_of(errno)));
  }
  if (!lock_.try_lock()) throw std::runtime_error(folder_.string() + " is in use by another bridge");
}

void Spool::load() {
  read_confirmed();
  for (const std::uint64_t number : numbers_in(folder_)) {
    next_number_ = number + 1;
    if (load_segment(number)) continue;
    std::error_code ignored;
    std::filesystem::remove(path_of(number), ignored);
  }
  confirm(left_confirmed_.first, left_confirmed_.second);
  for (const Segment& segment : segments_) {
    for (const auto& hole : segment.holes) note_loss(segment, hole);
  }
  std::uint64_t messages = 0;
  for (const SpooledSession& each : sessions()) messages += each.last - each.first + 1;
  metrics_.spool_replayed += messages;
  if (messages > 0) log(metrics_.venue, std::to_string(messages) + " messages of an earlier run wait on disk");
  note_size();
}

/// False for a file that has no message.
bool Spool::load_segment(std::uint64_t number) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path_of(number), error);
  std::vector<std::uint8_t> bytes(error ? 0 : size);
  const auto count = File(path_of(number), O_RDONLY).read_at(bytes, 0);
  if (error || !count) {
    throw std::runtime_error(path_of(number).string() +
                             " cannot be read: " + (error ? error.message() : reason_of(errno)));
  }
  bytes.resize(*count);
  const Contents contents(bytes, 0, false);
  if (contents.end < bytes.size()) {
    ++metrics_.spool_torn;
    log(metrics_.venue, path_of(number).string() + ": the last " + std::to_string(bytes.size() - contents.end) +
                            " bytes are torn, and passed over");
  }
  if (contents.messages.empty() && contents.damages.empty()) return false;
  Segment segment;
  segment.number = number;
  segment.session = session_in(bytes, contents, number);
  segment.end = contents.end;
  segment.newest_ns = time_of(contents.messages, true);
  segment.first = contents.messages.empty() ? 0 : contents.messages.front().sequence;
  segment.holes = holes_in(segment, contents);
  for (const SpooledMessage& message : contents.messages) {
    const std::uint64_t at = contents.offset_of(message);
    if (segment.index.empty() || at - segment.index.back().second >= kIndexStep) {
      segment.index.emplace_back(message.sequence, at);
    }
    segment.last = message.sequence;
  }
  if (const auto head = segment.holes.find(kFileHeader); head != segment.holes.end()) {
    const std::uint64_t lost = head->second.lost.first;
    segment.first = segment.last == 0 ? lost : std::min(segment.first, lost);
    segment.index.emplace(segment.index.begin(), segment.first, kFileHeader);
  }
  if (!segment.holes.empty()) segment.last = std::max(segment.last, segment.holes.rbegin()->second.lost.last);
  end_before(segment);
  bytes_ += segment.end;
  segments_.push_back(std::move(segment));
  return true;
}

/// The last file may have been thought to have lost some that are in the one behind it.
void Spool::end_before(const Segment& next) {
  if (segments_.empty() || segments_.back().session != next.session || segments_.back().last < next.first) return;
  Segment& segment = segments_.back();
  segment.last = next.first - 1;
  if (segment.holes.empty()) return;
  std::uint64_t& lost = segment.holes.rbegin()->second.lost.last;
  lost = std::min(lost, segment.last);
}

/// Whose messages a file has. Where its header is damaged, those of the file before whose numbers go on in it, or else
/// of a session of its own, of this run's namespace.
SessionId Spool::session_in(std::span<const std::uint8_t> bytes, const Contents& contents, std::uint64_t number) const {
  SessionId session = session_;
  if (is_file_header(bytes)) {
    std::copy_n(bytes.begin() + kMagic.size(), session.size(), session.begin());
    return session;
  }
  log(metrics_.venue, path_of(number).string() + ": its header is damaged, and its messages are taken without it");
  const bool goes_on =
      !segments_.empty() && !contents.messages.empty() && segments_.back().last < contents.messages.front().sequence;
  if (goes_on) return segments_.back().session;
  for (std::size_t i = 0; i < sizeof number; ++i) {
    session[session.size() - 1 - i] ^= static_cast<unsigned char>(number >> (8 * i));
  }
  return session;
}

/// The last number of a session that is known to be in an earlier file.
std::uint64_t Spool::before(const SessionId& session) const {
  const std::uint64_t confirmed = left_confirmed_.first == session ? left_confirmed_.second : 0;
  const bool is_here = !segments_.empty() && segments_.back().session == session;
  return is_here ? std::max(segments_.back().last, confirmed) : confirmed;
}

/// What a segment's file lost: the numbers between those that it has. Where an earlier run left nothing to tell the
/// first or the last of them it is told by how many records have room.
Spool::Holes Spool::holes_in(const Segment& segment, const Contents& contents) const {
  const bool is_known = segment.last != 0;
  const std::span<const SpooledMessage> messages = contents.messages;
  Holes holes;
  for (const auto& [begin, end, count] : contents.damages) {
    const std::uint64_t room = most_records_in(end - begin);
    LostMessages lost{.session = segment.session};
    const std::uint64_t least = is_known ? segment.first - 1 : before(segment.session);
    const std::uint64_t floor = count > 0 ? messages[count - 1].sequence : least;
    lost.first = floor + 1;
    if (count < messages.size()) {
      lost.last = messages[count].sequence - 1;
      if (count == 0 && lost.last > room) lost.first = std::max(lost.first, lost.last - room + 1);
    } else {
      lost.last = is_known ? segment.last : floor + room;
    }
    lost.to_time_ns = time_of(messages.subspan(count), false).value_or(written_ns(segment.number));
    const auto from_time_ns = time_of(messages.first(count), true);
    lost.from_time_ns = from_time_ns ? *from_time_ns : newest_before(segment.number).value_or(lost.to_time_ns);
    holes.emplace(begin, Hole{end, lost});
  }
  return holes;
}

/// Event time of the first or the last trade of some messages.
std::optional<std::int64_t> Spool::time_of(std::span<const SpooledMessage> messages, bool is_last) const {
  if (!teller_) return std::nullopt;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const SpooledMessage& message = messages[is_last ? messages.size() - 1 - i : i];
    if (const auto time_ns = teller_->trade_time_ns(message.value)) return time_ns;
  }
  return std::nullopt;
}

/// Event time of the last trade that an earlier run left in the files before one.
std::optional<std::int64_t> Spool::newest_before(std::uint64_t number) const {
  std::optional<std::int64_t> newest_ns;
  for (const Segment& segment : segments_) {
    if (segment.number < number && segment.newest_ns) newest_ns = segment.newest_ns;
  }
  return newest_ns;
}

/// When a file was written last, in UTC nanoseconds; now where it is gone.
std::int64_t Spool::written_ns(std::uint64_t number) const {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(path_of(number), error);
  if (error) return utc_now_ns();
  const auto since = std::chrono::file_clock::to_sys(time).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

/// Looks anew for what is good of a file that was whole once; what was read of it before `from` is of no more account.
void Spool::search(std::uint64_t number, std::uint64_t from) {
  const std::lock_guard lock(mutex_);
  const auto segment = std::ranges::find(segments_, number, &Segment::number);
  if (segment == segments_.end()) return;  // all of it is confirmed by now
  const auto bytes = read_what_is_left(path_of(number), segment->end);
  const Contents contents(bytes, segment->first - 1, true);
  for (const auto& [begin, hole] : holes_in(*segment, contents)) {
    const auto known = segment->holes.find(begin);
    if (hole.end <= from || (known != segment->holes.end() && known->second.end >= hole.end)) continue;
    segment->holes.erase(segment->holes.lower_bound(begin), segment->holes.lower_bound(hole.end));
    note_loss(*segment, *segment->holes.emplace(begin, hole).first);
  }
}

/// Counts and says what was lost, but for what Kafka has.
void Spool::note_loss(const Segment& segment, const Holes::value_type& hole) {
  const auto& [begin, damaged] = hole;
  const std::uint64_t first = std::max(damaged.lost.first, confirmed_of(segment.session) + 1);
  if (damaged.lost.last < first) return;
  const std::uint64_t most = std::min(most_records_in(damaged.end - begin), damaged.lost.last - first + 1);
  metrics_.spool_lost += most;
  ++metrics_.spool_torn;
  log(metrics_.venue, path_of(segment.number).string() + ": damaged from byte " + std::to_string(begin) + " to " +
                          std::to_string(damaged.end) + ", and passed over with up to " + std::to_string(most) +
                          " messages");
}

void Spool::read_confirmed() {
  std::array<std::uint8_t, sizeof(SessionId) + sizeof(std::uint64_t) + kChecksum> entry{};
  if (confirmed_file_.read_at(entry, 0).value_or(0) != entry.size() || !is_sealed(entry)) return;
  auto& [session, sequence] = left_confirmed_;
  std::copy_n(entry.begin(), session.size(), session.begin());
  std::memcpy(&sequence, entry.data() + session.size(), sizeof sequence);
}

/// Of the oldest session alone: a younger one has little that is confirmed before it.
void Spool::save_confirmed() {
  if (segments_.empty()) return;
  std::array<std::uint8_t, sizeof(SessionId) + sizeof(std::uint64_t)> entry{};
  const SessionId& session = segments_.front().session;
  const std::uint64_t sequence = confirmed_of(session);
  std::ranges::copy(session, entry.begin());
  std::memcpy(entry.data() + session.size(), &sequence, sizeof sequence);
  (void)confirmed_file_.write_at(sealed(entry), 0);  // without it messages are sent again, and none is lost
  saved_at_ns_ = steady_now_ns();
}

void Spool::append(std::uint64_t sequence, std::string_view key, std::span<const std::uint8_t> value) {
  const std::size_t start = batch_.size();
  batch_.resize(start + sizeof(RecordHeader) + key.size() + value.size());
  std::uint8_t* const out = batch_.data() + start;
  RecordHeader header{0, sequence, static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size())};
  std::memcpy(out + sizeof header, key.data(), key.size());
  std::ranges::copy(value, out + sizeof header + key.size());
  std::memcpy(out, &header, sizeof header);
  header.checksum = checksum_of(std::span(batch_).subspan(start + kChecksum));
  std::memcpy(out, &header.checksum, kChecksum);
  if (batch_count_++ == 0) batch_first_ = sequence;
  batch_last_ = sequence;
}

void Spool::read_batch(std::vector<SpooledMessage>& out) const {
  for (std::span<const std::uint8_t> rest = batch_; !rest.empty();) {
    const RecordHeader header = header_at(rest);
    out.push_back(message_in(header, rest.first(size_of(header))));
    rest = rest.subspan(size_of(header));
  }
}

void Spool::clear() noexcept {
  batch_.clear();
  batch_count_ = 0;
}

bool Spool::flush() {
  if (batch_.empty()) return true;
  const std::lock_guard lock(mutex_);
  settled_ = batch_last_;
  // Once it refuses there must be room for some more, or large and small batches would take turns.
  const std::uint64_t bound = is_refusing_ ? max_bytes_ - max_bytes_ / kRoomToGoOn : max_bytes_;
  if (bytes_ + batch_.size() > bound) {
    refuse("it has reached its bound of " + std::to_string(max_bytes_) + " bytes (LIVETAPE_SPOOL_MB)");
    return false;
  }
  if (!write_batch()) {
    refuse(reason_of(errno));
    return false;
  }
  if (is_refusing_) log(metrics_.venue, "messages are kept on disk again, up to number " + std::to_string(batch_last_));
  is_refusing_ = false;
  metrics_.spooled += batch_count_;
  return true;
}

bool Spool::write_batch() {
  if (!active_.is_open() || segments_.empty() || segments_.back().end >= segment_bytes_) {
    if (!begin_segment()) return false;
  }
  Segment& segment = segments_.back();
  if (!active_.write_at(batch_, segment.end)) {
    active_.cut_off(segment.end);  // what it took could be read for whole messages behind the next batch
    return false;
  }
  if (segment.last == 0) segment.first = batch_first_;
  segment.last = batch_last_;
  if (segment.index.empty() || segment.end - segment.index.back().second >= kIndexStep) {
    segment.index.emplace_back(batch_first_, segment.end);
  }
  segment.end += batch_.size();
  bytes_ += batch_.size();
  note_size();
  return true;
}

bool Spool::begin_segment() {
  std::array<std::uint8_t, kFileHeader - kChecksum> header{};
  std::ranges::copy(kMagic, header.begin());
  std::ranges::copy(session_, header.begin() + kMagic.size());
  File file(path_of(next_number_), O_RDWR | O_CREAT | O_TRUNC);
  if (!file.is_open() || !file.write_at(sealed(header), 0)) return false;
  active_ = std::move(file);
  Segment& segment = segments_.emplace_back();
  segment.number = next_number_++;
  segment.session = session_;
  segment.end = kFileHeader;
  bytes_ += kFileHeader;
  return true;
}

void Spool::refuse(const std::string& reason) {
  if (!is_refusing_) log(metrics_.venue, folder_.string() + " takes no more messages: " + reason);
  is_refusing_ = true;
}

void Spool::confirm(const SessionId& session, std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  const bool is_known =
      session == session_ || std::ranges::find(segments_, session, &Segment::session) != segments_.end();
  if (!is_known) return;
  std::uint64_t& confirmed = confirmed_[session];
  if (sequence <= confirmed) return;
  confirmed = sequence;
  const auto is_done = [this](const Segment& segment) {
    const bool is_active = active_.is_open() && &segment == &segments_.back();
    return !is_active && segment.last <= confirmed_of(segment.session);
  };
  while (!segments_.empty() && is_done(segments_.front())) {
    std::error_code ignored;  // a file that stays is sent again by the next run
    std::filesystem::remove(path_of(segments_.front().number), ignored);
    bytes_ -= segments_.front().end;
    segments_.pop_front();
  }
  note_size();
  if (steady_now_ns() - saved_at_ns_ >= kSaveEveryNs) save_confirmed();
}

std::vector<SpooledSession> Spool::sessions() const {
  const std::lock_guard lock(mutex_);
  std::vector<SpooledSession> sessions;
  for (const Segment& segment : segments_) {
    const std::uint64_t confirmed = confirmed_of(segment.session);
    if (segment.last <= confirmed) continue;
    if (!sessions.empty() && sessions.back().session == segment.session) {
      sessions.back().last = segment.last;
    } else {
      sessions.push_back({segment.session, std::max(segment.first, confirmed + 1), segment.last});
    }
  }
  return sessions;
}

std::uint64_t Spool::settled() const {
  const std::lock_guard lock(mutex_);
  return settled_;
}

std::uint64_t Spool::confirmed(const SessionId& session) const {
  const std::lock_guard lock(mutex_);
  return confirmed_of(session);
}

std::uint64_t Spool::confirmed_of(const SessionId& session) const {
  const auto found = confirmed_.find(session);
  return found == confirmed_.end() ? 0 : found->second;
}

void Spool::note_size() { metrics_.spool_bytes = bytes_; }

std::filesystem::path Spool::path_of(std::uint64_t number) const {
  constexpr std::size_t kDigits = 12;  // so that a listing has them in order
  const std::string digits = std::to_string(number);
  return folder_ / (std::string(kDigits - std::min(kDigits, digits.size()), '0') + digits + std::string(kSuffix));
}

bool SpoolReader::seek(const SessionId& session, std::uint64_t sequence) {
  const std::lock_guard lock(spool_.mutex_);
  for (const Spool::Segment& segment : spool_.segments_) {
    if (segment.session != session || segment.last < sequence) continue;
    enter(segment);
    const std::uint64_t from = std::max(segment.first, sequence);
    const auto behind = std::ranges::upper_bound(segment.index, from, {}, &Spool::IndexEntry::first);
    offset_ = std::prev(behind)->second;
    read_ = std::prev(behind)->first - 1;
    from_ = sequence;
    return true;
  }
  return false;
}

void SpoolReader::seek_end() {
  const std::lock_guard lock(spool_.mutex_);
  if (spool_.segments_.empty()) return;
  if (number_ != spool_.segments_.back().number) enter(spool_.segments_.back());
  offset_ = spool_.segments_.back().end;
  read_ = spool_.segments_.back().last;
}

bool SpoolReader::is_at_end() const {
  const std::lock_guard lock(spool_.mutex_);
  if (spool_.segments_.empty()) return true;
  const Spool::Segment& last = spool_.segments_.back();
  return number_ == last.number && offset_ >= last.end;
}

std::span<const SpooledMessage> SpoolReader::read() {
  std::uint64_t searched = 0;
  while (const auto here = place()) {
    messages_.clear();
    if (here->hole) {
      if (pass_over(*here->hole)) return messages_;
      continue;
    }
    if (!fill(here->end)) return {};
    const std::size_t used = parse_records(bytes_, read_, messages_);
    if (used == 0) {
      has_failed_ = searched == offset_;  // good only when all of the file is read: it is tried again
      if (has_failed_) return {};
      searched = offset_;
      spool_.search(number_, offset_);
      continue;
    }
    offset_ += used;
    read_ = messages_.back().sequence;
    const auto wanted = std::ranges::find_if(messages_, [this](const auto& each) { return each.sequence >= from_; });
    if (wanted != messages_.end()) return std::span(wanted, messages_.end());
  }
  return {};
}

/// Reads the next bytes of a segment that goes so far; false where the disk, or the system, does not give them now.
bool SpoolReader::fill(std::uint64_t end) {
  bytes_.resize(std::min<std::uint64_t>(kReadBytes, end - offset_));
  if (!file_.is_open()) file_ = File(spool_.path_of(number_), O_RDONLY);
  auto count = file_.read_at(bytes_, offset_);
  if (!count && (errno == ENOENT || errno == EIO)) count = 0;  // deleted, or lost by the disk: it will not come back
  const bool is_first = count.has_value() == has_failed_;
  has_failed_ = !count;
  const auto tell = [this](const std::string& what) {
    log(spool_.metrics_.venue, spool_.path_of(number_).string() + what);
  };
  if (is_first && has_failed_) tell(" cannot be read, and is tried again: " + reason_of(errno));
  if (is_first && !has_failed_) tell(" can be read again");
  bytes_.resize(count.value_or(0));
  return !has_failed_;
}

/// Goes on behind damaged bytes; false where nothing is told in their place.
bool SpoolReader::pass_over(const Spool::Hole& hole) {
  has_failed_ = false;
  offset_ = hole.end;
  read_ = std::max(read_, hole.lost.last);
  if (!spool_.teller_ || hole.lost.last < std::max(hole.lost.first, from_)) return false;
  told_ = spool_.teller_->tell(hole.lost);
  messages_.push_back({hole.lost.last, told_.key, told_.value});
  return true;
}

/// Sets it to the next segment where this one has ended, or is gone; what is there. Nothing at the end.
std::optional<SpoolReader::Place> SpoolReader::place() {
  const std::lock_guard lock(spool_.mutex_);
  const auto& segments = spool_.segments_;
  auto segment = std::ranges::lower_bound(segments, number_, {}, &Spool::Segment::number);
  if (segment != segments.end() && segment->number == number_ && offset_ >= segment->end) ++segment;
  if (segment == segments.end()) return std::nullopt;
  if (segment->number != number_) enter(*segment);
  if (offset_ >= segment->end) return std::nullopt;
  Place here{segment->end, std::nullopt};
  const auto behind = segment->holes.upper_bound(offset_);
  if (behind != segment->holes.end()) here.end = behind->first;
  if (behind != segment->holes.begin() && offset_ < std::prev(behind)->second.end)
    here.hole = std::prev(behind)->second;
  return here;
}

void SpoolReader::enter(const Spool::Segment& segment) {
  number_ = segment.number;
  session_ = segment.session;
  offset_ = kFileHeader;
  read_ = segment.first - 1;
  from_ = spool_.confirmed_of(segment.session) + 1;
  file_ = File(spool_.path_of(number_), O_RDONLY);
}

}  // namespace livetape::bridge
