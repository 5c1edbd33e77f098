#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "core/big_endian.hpp"
#include "nic/itch_messages.hpp"
#include "nic/moldudp64.hpp"

namespace livetape::bridge::mold {

/// When a packet came.
struct Arrival {
  std::int64_t receive_time_ns = 0;
  std::int64_t hardware_time_ns = 0;  // by the network card's own clock; 0: it told none
};

/// Messages that came before their turn, in a window of fixed size that moves with the next one to be delivered.
class HeldMessages {
 public:
  static constexpr std::uint64_t kWindow = std::uint64_t{1} << 16;

  [[nodiscard]] bool has(std::uint64_t sequence) const noexcept { return slot_of(sequence).sequence == sequence; }

  /// Keeps a message whose number is less than a window from the next one, and when it came. One that is longer than
  /// any of ITCH is kept in part, under a length that no type has, so that it is refused as it would be whole.
  void keep(std::uint64_t sequence, std::span<const std::uint8_t> message, const Arrival& arrival) noexcept {
    is_clear_ = false;
    Slot& slot = slots_[sequence % kWindow];
    const std::size_t length = std::min(message.size(), kKept);
    slot.sequence = sequence;
    slot.arrival = arrival;
    write_big_endian<Messages::kLengthBytes>(slot.block.data(), length);
    if (length > 0) std::memcpy(slot.block.data() + Messages::kLengthBytes, message.data(), length);
  }
  [[nodiscard]] const Arrival& arrival_of(std::uint64_t sequence) const noexcept { return slot_of(sequence).arrival; }
  /// A message that is held, as messages of one; valid until the next `keep`.
  [[nodiscard]] Messages take(std::uint64_t sequence) noexcept {
    Slot& slot = slots_[sequence % kWindow];
    slot.sequence = 0;
    return {slot.block.data(), 1};
  }
  /// The first that is held from here on; `end` when there is none before it.
  [[nodiscard]] std::uint64_t first_from(std::uint64_t sequence, std::uint64_t end) const noexcept {
    const std::uint64_t last = std::min(end, sequence + kWindow);
    while (sequence < last && !has(sequence)) ++sequence;
    return sequence < last ? sequence : end;
  }
  void clear() noexcept {
    if (std::exchange(is_clear_, true)) return;
    for (std::size_t i = 0; i < kWindow; ++i) slots_[i].sequence = 0;
  }

 private:
  static constexpr std::size_t kKept = itch::kMaxBytes + 1;

  struct Slot {
    std::uint64_t sequence = 0;  // 0: free; no message has it
    Arrival arrival;
    std::array<std::uint8_t, Messages::kLengthBytes + kKept> block{};
  };

  [[nodiscard]] const Slot& slot_of(std::uint64_t sequence) const noexcept { return slots_[sequence % kWindow]; }

  std::unique_ptr<Slot[]> slots_ = std::make_unique<Slot[]>(kWindow);
  bool is_clear_ = true;
};

}  // namespace livetape::bridge::mold
