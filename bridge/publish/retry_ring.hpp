#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace livetape::bridge {

/// A message as it was published: its key's bytes, then its value's.
struct KeptMessage {
  std::vector<std::uint8_t> bytes;
  std::size_t key_size = 0;

  [[nodiscard]] std::span<const std::uint8_t> key() const { return std::span(bytes).first(key_size); }
  [[nodiscard]] std::span<const std::uint8_t> value() const { return std::span(bytes).subspan(key_size); }
};

/// The newest messages of one session, in memory of a fixed size. One thread puts, others read, and neither waits for
/// the other: a reader copies a message word by word, then looks whether it was overwritten meanwhile.
///
/// Why that is sound: `first_` passes a message before its words are overwritten, and words are stored with release and
/// loaded with acquire. So whoever read a word of the newer message sees the newer `first_` as well.
class RetryRing {
 public:
  static constexpr std::size_t kMaxMessageBytes = 2048;  // more than a record and its key can have

  /// Takes at least this many bytes of messages.
  explicit RetryRing(std::size_t bytes)
      : words_(std::bit_ceil(std::max(bytes, 2 * kMaxMessageBytes) / sizeof(Word))),
        entries_(words_.size() / kWordsAnEntry) {}

  /// Writer: keeps a message of at most `kMaxMessageBytes`. Numbers rise from 1; where one was left out, those before
  /// it are let go.
  void put(std::uint64_t sequence, std::string_view key, std::span<const std::uint8_t> value) noexcept {
    const std::uint64_t last = last_.load(std::memory_order_relaxed);
    const std::size_t words = words_of(key.size() + value.size());
    make_room(sequence == last + 1 ? first_.load(std::memory_order_relaxed) : sequence, sequence, words + 1);
    Entry& entry = entry_of(sequence);
    entry.sequence.store(0, std::memory_order_release);
    entry.position.store(end_, std::memory_order_release);
    entry.sequence.store(sequence, std::memory_order_release);
    std::ranges::copy(value, std::ranges::copy(key, scratch_.begin()).out);
    store(std::uint64_t{key.size()} << 32 | value.size());
    for (std::size_t i = 0; i < words; ++i) {
      Word word = 0;
      std::memcpy(&word, scratch_.data() + i * sizeof word, sizeof word);
      store(word);
    }
    last_.store(sequence, std::memory_order_release);
  }

  /// Reader: a message by its number; nothing when it is not kept, or no longer.
  [[nodiscard]] std::optional<KeptMessage> get(std::uint64_t sequence) const {
    if (sequence > last() || sequence < first()) return std::nullopt;
    const Entry& entry = entry_of(sequence);
    const std::uint64_t position = entry.position.load(std::memory_order_acquire);
    const Word sizes = load(position);
    if (entry.sequence.load(std::memory_order_acquire) != sequence || sequence < first()) return std::nullopt;
    KeptMessage message;
    message.key_size = sizes >> 32;
    message.bytes.resize(message.key_size + (sizes & 0xffffffff));
    for (std::size_t at = 0; at < message.bytes.size(); at += sizeof(Word)) {
      const Word word = load(position + 1 + at / sizeof word);
      std::memcpy(message.bytes.data() + at, &word, std::min(sizeof word, message.bytes.size() - at));
    }
    if (sequence < first()) return std::nullopt;
    return message;
  }

  /// Number of the oldest message that is kept, and of the newest; 1 and 0 before there is one.
  [[nodiscard]] std::uint64_t first() const noexcept { return first_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t last() const noexcept { return last_.load(std::memory_order_acquire); }

 private:
  using Word = std::uint64_t;
  static constexpr std::size_t kWordsAnEntry = 16;  // about what a trade takes

  struct Entry {
    std::atomic<std::uint64_t> sequence{0};
    std::atomic<std::uint64_t> position{0};
  };

  [[nodiscard]] static std::size_t words_of(std::size_t bytes) noexcept {
    return (bytes + sizeof(Word) - 1) / sizeof(Word);
  }
  [[nodiscard]] Entry& entry_of(std::uint64_t sequence) noexcept { return entries_[sequence & (entries_.size() - 1)]; }
  [[nodiscard]] const Entry& entry_of(std::uint64_t sequence) const noexcept {
    return entries_[sequence & (entries_.size() - 1)];
  }

  /// Lets go of the oldest messages, until neither the newest one's entry nor its words are any of theirs.
  void make_room(std::uint64_t first, std::uint64_t newest, std::size_t words) noexcept {
    const auto is_in_the_way = [&](std::uint64_t sequence) {
      return newest - sequence >= entries_.size() ||
             end_ + words - entry_of(sequence).position.load(std::memory_order_relaxed) > words_.size();
    };
    while (first < newest && is_in_the_way(first)) ++first;
    first_.store(first, std::memory_order_release);
  }

  void store(Word word) noexcept { words_[end_++ & (words_.size() - 1)].store(word, std::memory_order_release); }
  [[nodiscard]] Word load(std::uint64_t position) const noexcept {
    return words_[position & (words_.size() - 1)].load(std::memory_order_acquire);
  }

  std::vector<std::atomic<Word>> words_;
  std::vector<Entry> entries_;
  std::uint64_t end_ = 0;  // words ever written
  std::array<std::uint8_t, kMaxMessageBytes + sizeof(Word)> scratch_{};
  std::atomic<std::uint64_t> first_{1};
  std::atomic<std::uint64_t> last_{0};
};

}  // namespace livetape::bridge
