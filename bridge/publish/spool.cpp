#include "publish/spool.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
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
constexpr std::size_t kLargestRecord = std::size_t{64} << 10;
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

}  // namespace

std::size_t parse_records(std::span<const std::uint8_t> bytes, std::vector<SpooledMessage>& out) {
  std::size_t at = 0;
  while (bytes.size() - at >= sizeof(RecordHeader)) {
    const RecordHeader header = header_at(bytes.subspan(at));
    const std::size_t size = size_of(header);
    if (size > std::min(kLargestRecord, bytes.size() - at)) break;
    const auto record = bytes.subspan(at, size);
    if (header.checksum != checksum_of(record.subspan(kChecksum))) break;
    out.push_back(message_in(header, record));
    at += size;
  }
  return at;
}

Spool::Spool(std::filesystem::path folder, const SessionId& session, std::uint64_t max_bytes, VenueMetrics& metrics)
    : folder_(std::move(folder)),
      session_(session),
      max_bytes_(max_bytes),
      segment_bytes_(std::min(kLargestSegment, max_bytes / kSegmentsAtLeast)),
      metrics_(metrics) {
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
  for (const std::uint64_t number : numbers_in(folder_)) {
    next_number_ = number + 1;
    if (load_segment(number)) continue;
    std::error_code ignored;
    std::filesystem::remove(path_of(number), ignored);
  }
  load_confirmed();
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
  std::vector<SpooledMessage> messages;
  std::size_t good = 0;
  Segment segment;
  if (bytes.size() >= kFileHeader && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0 &&
      is_sealed(std::span(bytes).first(kFileHeader))) {
    std::copy_n(bytes.begin() + kMagic.size(), sizeof(SessionId), segment.session.begin());
    good = kFileHeader + parse_records(std::span(bytes).subspan(kFileHeader), messages);
  }
  if (good < bytes.size()) {
    ++metrics_.spool_torn;
    log(metrics_.venue, path_of(number).string() + ": the last " + std::to_string(bytes.size() - good) +
                            " bytes are torn, and passed over");
  }
  if (messages.empty()) return false;
  segment.number = number;
  segment.first = messages.front().sequence;
  segment.last = messages.back().sequence;
  segment.end = good;
  for (const SpooledMessage& message : messages) {
    const auto at =
        static_cast<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(message.key.data()) - bytes.data()) -
        sizeof(RecordHeader);
    if (segment.index.empty() || at - segment.index.back().second >= kIndexStep) {
      segment.index.emplace_back(message.sequence, at);
    }
  }
  bytes_ += good;
  segments_.push_back(std::move(segment));
  return true;
}

void Spool::load_confirmed() {
  std::array<std::uint8_t, sizeof(SessionId) + sizeof(std::uint64_t) + kChecksum> entry{};
  if (confirmed_file_.read_at(entry, 0).value_or(0) != entry.size() || !is_sealed(entry)) return;
  SessionId session{};
  std::uint64_t sequence = 0;
  std::copy_n(entry.begin(), session.size(), session.begin());
  std::memcpy(&sequence, entry.data() + session.size(), sizeof sequence);
  confirm(session, sequence);
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
  while (const auto end = place()) {
    messages_.clear();
    if (!fill(*end)) return {};
    const std::size_t used = parse_records(bytes_, messages_);
    if (used == 0) {
      pass_over();
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

/// Goes on behind bytes that are not as they were written: they do not tell where the next record begins, but the index
/// does.
void SpoolReader::pass_over() {
  const std::lock_guard lock(spool_.mutex_);
  const auto segment = std::ranges::find(spool_.segments_, number_, &Spool::Segment::number);
  if (segment == spool_.segments_.end()) return;  // all of it is confirmed by now
  const std::uint64_t torn = offset_;
  const auto next = std::ranges::upper_bound(segment->index, torn, {}, &Spool::IndexEntry::second);
  const bool is_last = next == segment->index.end();
  const std::uint64_t first = std::max(read_ + 1, from_);
  read_ = is_last ? segment->last : next->first - 1;
  offset_ = is_last ? segment->end : next->second;
  const std::uint64_t count = read_ < first ? 0 : read_ - first + 1;
  lost_ += count;
  ++spool_.metrics_.spool_torn;
  log(spool_.metrics_.venue, spool_.path_of(number_).string() + ": unreadable from byte " + std::to_string(torn) +
                                 " on, and passed over with up to " + std::to_string(count) + " messages");
}

/// Sets it to the next segment where this one has ended, or is gone; how far the segment goes. Nothing at the end.
std::optional<std::uint64_t> SpoolReader::place() {
  const std::lock_guard lock(spool_.mutex_);
  const auto& segments = spool_.segments_;
  auto segment = std::ranges::lower_bound(segments, number_, {}, &Spool::Segment::number);
  if (segment != segments.end() && segment->number == number_ && offset_ >= segment->end) ++segment;
  if (segment == segments.end()) return std::nullopt;
  if (segment->number != number_) enter(*segment);
  return offset_ < segment->end ? std::optional(segment->end) : std::nullopt;
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
