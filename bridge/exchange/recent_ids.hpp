#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace livetape::bridge {

/// The newest trade ids of an instrument whose ids say nothing of each other: at least `kKept` of them, by hashes of
/// 128 bits, in two tables that take turns, so that nothing is ever searched for what is to be forgotten; or for a
/// while all that come.
class RecentIds {
 public:
  static constexpr std::size_t kKept = 512;
  static constexpr std::size_t kMostKept = std::size_t{1} << 20;

  /// False when the id is among those kept.
  [[nodiscard]] bool add(std::string_view id) {
    const Hash hash = hash_of(id);
    if (contains(hash)) return false;
    if (count_ == kKept) {
      if (keeps_all_) keep_older();
      std::swap(older_, newer_);
      newer_->fill(0);
      count_ = 0;
    }
    (*newer_)[slot(*newer_, hash)] = hash;
    ++count_;
    return true;
  }
  [[nodiscard]] bool contains(std::string_view id) const { return contains(hash_of(id)); }
  /// From now on none is forgotten, up to `kMostKept`.
  void keep_all() noexcept { keeps_all_ = true; }
  /// The newest alone are kept again.
  void keep_newest() {
    keeps_all_ = false;
    kept_ = {};
  }

 private:
  __extension__ using Hash = unsigned __int128;
  struct HighHalf {
    std::size_t operator()(Hash hash) const noexcept { return static_cast<std::size_t>(hash >> 64); }
  };
  static constexpr std::size_t kSlots = 2 * kKept;  // half empty: a search ends after one or two steps
  using Table = std::array<Hash, kSlots>;           // 0 is an empty slot

  static Hash hash_of(std::string_view id) noexcept {  // FNV-1a
    constexpr Hash kPrime = (Hash{1} << 88) + 0x13b;
    Hash hash = (Hash{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;
    for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
    return hash == 0 ? 1 : hash;
  }
  /// Where a hash is, or would be.
  static std::size_t slot(const Table& table, Hash hash) noexcept {
    std::size_t at = static_cast<std::size_t>(hash >> 64) % kSlots;
    while (table[at] != 0 && table[at] != hash) at = (at + 1) % kSlots;
    return at;
  }
  [[nodiscard]] bool contains(Hash hash) const {
    return contains(*older_, hash) || contains(*newer_, hash) || kept_.contains(hash);
  }
  void keep_older() {
    if (kept_.size() >= kMostKept) return;
    for (const Hash hash : *older_) {
      if (hash != 0) kept_.insert(hash);
    }
  }
  static bool contains(const Table& table, Hash hash) noexcept { return table[slot(table, hash)] == hash; }

  std::unique_ptr<Table> older_ = std::make_unique<Table>();
  std::unique_ptr<Table> newer_ = std::make_unique<Table>();
  std::size_t count_ = 0;
  std::unordered_set<Hash, HighHalf> kept_;  // older ones
  bool keeps_all_ = false;
};

}  // namespace livetape::bridge
