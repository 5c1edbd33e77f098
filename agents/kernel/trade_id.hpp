#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace livetape::kernel {

/// A venue's trade id as a record has it: a number where it is a canonical non-negative decimal, else its text.
struct TradeIdView {
  std::int64_t number = -1;
  std::string_view text;  // empty when there is a number

  static TradeIdView parse(std::string_view id) noexcept;
  /// The same where 16 bytes may be read from the id's first on, whatever they are.
  static TradeIdView parse_padded(std::string_view id) noexcept;
  [[nodiscard]] bool is_number() const noexcept { return number >= 0; }
  [[nodiscard]] std::string as_text() const { return is_number() ? std::to_string(number) : std::string(text); }
  friend bool operator==(const TradeIdView&, const TradeIdView&) noexcept = default;
};

/// Room for the digits of a number.
using TradeIdText = std::array<char, 20>;

/// The same, kept. Nearly all venues have numbers: those cost no string.
class TradeId {
 public:
  TradeId() = default;
  explicit TradeId(TradeIdView id) { *this = id; }
  TradeId(const TradeId& other) { *this = other; }
  TradeId(TradeId&&) noexcept = default;
  ~TradeId() = default;
  TradeId& operator=(TradeId&&) noexcept = default;
  TradeId& operator=(const TradeId& other) {
    number_ = other.number_;
    text_ = other.text_ ? std::make_unique<std::string>(*other.text_) : nullptr;
    return *this;
  }
  TradeId& operator=(TradeIdView id) {
    number_ = id.number;
    if (!id.is_number() || text_) text_ = id.is_number() ? nullptr : std::make_unique<std::string>(id.text);
    return *this;
  }
  friend bool operator==(const TradeId& a, const TradeId& b) noexcept {
    return a.number_ == b.number_ && (a.text_ && b.text_ ? *a.text_ == *b.text_ : a.text_ == b.text_);
  }
  /// The id as it came, its digits in `room`; empty when there is none.
  [[nodiscard]] std::string_view text_in(TradeIdText& room) const noexcept {
    if (text_ || number_ < 0) return text_ ? std::string_view(*text_) : std::string_view();
    const char* const end = std::to_chars(room.data(), room.data() + room.size(), number_).ptr;
    return {room.data(), static_cast<std::size_t>(end - room.data())};
  }

 private:
  std::int64_t number_ = -1;
  std::unique_ptr<std::string> text_;
};

}  // namespace livetape::kernel
