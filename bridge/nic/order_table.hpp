#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace livetape::bridge {

/// Which side an order is on. It is unknown of an order that took the place of one that we never heard of.
enum class Side : std::uint8_t { unknown, buy, sell };

/// What an execution must know of the order that rested.
struct Order {
  std::uint64_t reference = 0;
  std::uint32_t price = 0;   // 10^-4
  std::uint32_t shares = 0;  // what is left of it; an order in the table has some
  Side side = Side::unknown;
};

/// The orders that rest, by reference: a hash table of 16 bytes an order, in one piece of memory, with linear probing
/// and no grave left behind an order that goes. It doubles when half full, and allocates at no other time.
///
/// References are given out in rising order and most orders live shortly, so 64 that follow each other have
/// neighbouring places, which a processor fetches together; the blocks of them are spread. Larger blocks would be
/// quicker still on a usual day, but long to probe where many orders in a row come to stay.
class OrderTable {
 public:
  /// Holds so many orders before it grows.
  explicit OrderTable(std::size_t orders);

  static constexpr std::uint64_t kReferenceLimit = std::uint64_t{1} << 62;  // a slot keeps the side beside it

  /// Fetches the line that an order is in or will be in, some messages before it is asked for.
  void prefetch(std::uint64_t reference) const noexcept { __builtin_prefetch(&slots_[home_of(reference)], 1); }

  /// Adds an order, with a reference below the limit and with shares. False when one of that reference was there: the
  /// new one is in its place.
  bool insert(const Order& order) {
    if (size_ >= mask_ / 2) grow();
    std::size_t at = home_of(order.reference);
    while (slots_[at].shares != 0 && slots_[at].reference() != order.reference) at = (at + 1) & mask_;
    const bool is_new = slots_[at].shares == 0;
    slots_[at] = Slot{order.reference << 2 | static_cast<std::uint64_t>(order.side), order.price, order.shares};
    if (is_new) ++size_;
    return is_new;
  }

  /// Where an order is; null when there is none. Valid until the table changes.
  class Place {
   public:
    explicit operator bool() const noexcept { return at_ != kNowhere; }

   private:
    friend class OrderTable;
    explicit Place(std::size_t at) noexcept : at_(at) {}
    std::size_t at_;
  };

  [[nodiscard]] Place find(std::uint64_t reference) const noexcept {
    for (std::size_t at = home_of(reference); slots_[at].shares != 0; at = (at + 1) & mask_) {
      if (slots_[at].reference() == reference) return Place(at);
    }
    return Place(kNowhere);
  }
  [[nodiscard]] Order at(Place place) const noexcept {
    const Slot& slot = slots_[place.at_];
    return {slot.reference(), slot.price, slot.shares, static_cast<Side>(slot.key & 3)};
  }
  /// Takes shares off an order; it goes with the last of them.
  void take(Place place, std::uint32_t shares) noexcept {
    Slot& slot = slots_[place.at_];
    if (shares < slot.shares) {
      slot.shares -= shares;
    } else {
      erase(place);
    }
  }
  /// Closes the hole with what was probed past it.
  void erase(Place place) noexcept {
    std::size_t hole = place.at_;
    for (std::size_t at = (hole + 1) & mask_; slots_[at].shares != 0; at = (at + 1) & mask_) {
      const std::size_t home = home_of(slots_[at].reference());
      if (((at - home) & mask_) < ((at - hole) & mask_)) continue;  // it would come to lie before its home
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole].shares = 0;
    --size_;
  }
  void clear() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  struct Slot {
    std::uint64_t key;  // the reference, and the side in the two lowest bits
    std::uint32_t price;
    std::uint32_t shares;  // 0 where no order is

    [[nodiscard]] std::uint64_t reference() const noexcept { return key >> 2; }
  };
  struct Free {
    // NOLINTNEXTLINE(cppcoreguidelines-no-malloc,cppcoreguidelines-owning-memory): aligned_alloc's is freed so
    void operator()(Slot* slots) const noexcept { std::free(slots); }
  };
  using Slots = std::unique_ptr<Slot[], Free>;
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  static constexpr unsigned kBlockBits = 6;
  static constexpr std::size_t kBlockSlots = std::size_t{1} << kBlockBits;

  static Slots make_slots(std::size_t count);
  static unsigned shift_of(std::size_t slots) noexcept;
  void grow();

  [[nodiscard]] std::size_t home_of(std::uint64_t reference) const noexcept {
    constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
    const std::uint64_t block = (reference >> kBlockBits) * kGolden >> shift_;
    return static_cast<std::size_t>(block << kBlockBits | (reference & (kBlockSlots - 1)));
  }
  Slots slots_;
  std::size_t mask_;
  unsigned shift_;  // leaves the bits that number the blocks
  std::size_t size_ = 0;
};

}  // namespace livetape::bridge
