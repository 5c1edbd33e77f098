#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/big_endian.hpp"

/// TotalView-ITCH 5.0's messages, each a view of its bytes: a field is read where it is asked for. `bytes` must hold
/// `kBytes`; itch_decoder.hpp sees to it. Prices are counts of 10^-4, but for the levels of V, counts of 10^-8; times
/// are nanoseconds since midnight of the exchange's day.
namespace livetape::bridge::itch {

/// What every message begins with.
class Message {
 public:
  explicit Message(const std::uint8_t* bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] char type() const noexcept { return text(0); }
  [[nodiscard]] std::uint16_t stock_locate() const noexcept { return number<2>(1); }
  [[nodiscard]] std::uint16_t tracking_number() const noexcept { return number<2>(3); }
  /// Of six bytes, read as one word with the two before them.
  [[nodiscard]] std::uint64_t time_ns() const noexcept { return number<8>(3) & 0xffff'ffff'ffff; }

 protected:
  template <std::size_t kWidth>
  [[nodiscard]] UnsignedOf<kWidth> number(std::size_t at) const noexcept {
    return read_big_endian<kWidth>(bytes_ + at);
  }
  [[nodiscard]] char text(std::size_t at) const noexcept { return static_cast<char>(bytes_[at]); }
  /// Left-justified text, without the spaces behind it.
  template <std::size_t kWidth>
  [[nodiscard]] std::string_view text(std::size_t at) const noexcept {
    constexpr auto kSpaces = static_cast<UnsignedOf<kWidth>>(0x2020202020202020);
    const auto other = static_cast<UnsignedOf<kWidth>>(read_big_endian<kWidth>(bytes_ + at) ^ kSpaces);
    const std::size_t width = kWidth - static_cast<std::size_t>(std::countr_zero(other)) / 8;
    return {reinterpret_cast<const char*>(bytes_ + at), width};
  }

 private:
  const std::uint8_t* bytes_;
};

/// Of the messages that name their stock right behind the header.
class StockMessage : public Message {
 public:
  using Message::Message;
  [[nodiscard]] std::string_view stock() const noexcept { return text<8>(11); }
};

/// Of the messages that speak of one order.
class OrderMessage : public Message {
 public:
  using Message::Message;
  [[nodiscard]] std::uint64_t order() const noexcept { return number<8>(11); }
};

struct SystemEvent : Message {
  static constexpr char kType = 'S';
  static constexpr std::size_t kBytes = 12;
  using Message::Message;
  /// O start of messages, S of system hours, Q of market hours; M end of market hours, E of system hours, C of
  /// messages.
  [[nodiscard]] char event() const noexcept { return text(11); }
};

struct StockDirectory : StockMessage {
  static constexpr char kType = 'R';
  static constexpr std::size_t kBytes = 39;
  using StockMessage::StockMessage;
  [[nodiscard]] char market_category() const noexcept { return text(19); }
  [[nodiscard]] char financial_status() const noexcept { return text(20); }
  [[nodiscard]] std::uint32_t round_lot() const noexcept { return number<4>(21); }
  [[nodiscard]] char round_lots_only() const noexcept { return text(25); }
  [[nodiscard]] char issue_classification() const noexcept { return text(26); }
  [[nodiscard]] std::string_view issue_sub_type() const noexcept { return text<2>(27); }
  [[nodiscard]] char authenticity() const noexcept { return text(29); }
  [[nodiscard]] char short_sale_threshold() const noexcept { return text(30); }
  [[nodiscard]] char ipo_flag() const noexcept { return text(31); }
  [[nodiscard]] char luld_tier() const noexcept { return text(32); }
  [[nodiscard]] char etp_flag() const noexcept { return text(33); }
  [[nodiscard]] std::uint32_t etp_leverage() const noexcept { return number<4>(34); }
  [[nodiscard]] char is_inverse() const noexcept { return text(38); }
};

struct TradingAction : StockMessage {
  static constexpr char kType = 'H';
  static constexpr std::size_t kBytes = 25;
  using StockMessage::StockMessage;
  [[nodiscard]] char state() const noexcept { return text(19); }
  [[nodiscard]] char reserved() const noexcept { return text(20); }
  [[nodiscard]] std::string_view reason() const noexcept { return text<4>(21); }
};

struct RegSho : StockMessage {
  static constexpr char kType = 'Y';
  static constexpr std::size_t kBytes = 20;
  using StockMessage::StockMessage;
  [[nodiscard]] char action() const noexcept { return text(19); }
};

struct MarketParticipantPosition : Message {
  static constexpr char kType = 'L';
  static constexpr std::size_t kBytes = 26;
  using Message::Message;
  [[nodiscard]] std::string_view participant() const noexcept { return text<4>(11); }
  [[nodiscard]] std::string_view stock() const noexcept { return text<8>(15); }
  [[nodiscard]] char is_primary() const noexcept { return text(23); }
  [[nodiscard]] char mode() const noexcept { return text(24); }
  [[nodiscard]] char state() const noexcept { return text(25); }
};

/// The market-wide circuit breaker's levels; the prices have 8 decimals.
struct DeclineLevels : Message {
  static constexpr char kType = 'V';
  static constexpr std::size_t kBytes = 35;
  using Message::Message;
  [[nodiscard]] std::uint64_t level_1() const noexcept { return number<8>(11); }
  [[nodiscard]] std::uint64_t level_2() const noexcept { return number<8>(19); }
  [[nodiscard]] std::uint64_t level_3() const noexcept { return number<8>(27); }
};

struct DeclineStatus : Message {
  static constexpr char kType = 'W';
  static constexpr std::size_t kBytes = 12;
  using Message::Message;
  [[nodiscard]] char breached_level() const noexcept { return text(11); }
};

struct IpoQuotingPeriod : StockMessage {
  static constexpr char kType = 'K';
  static constexpr std::size_t kBytes = 28;
  using StockMessage::StockMessage;
  [[nodiscard]] std::uint32_t release_time_s() const noexcept { return number<4>(19); }
  [[nodiscard]] char release_qualifier() const noexcept { return text(23); }
  [[nodiscard]] std::uint32_t price() const noexcept { return number<4>(24); }
};

struct AuctionCollar : StockMessage {
  static constexpr char kType = 'J';
  static constexpr std::size_t kBytes = 35;
  using StockMessage::StockMessage;
  [[nodiscard]] std::uint32_t reference_price() const noexcept { return number<4>(19); }
  [[nodiscard]] std::uint32_t upper_price() const noexcept { return number<4>(23); }
  [[nodiscard]] std::uint32_t lower_price() const noexcept { return number<4>(27); }
  [[nodiscard]] std::uint32_t extension() const noexcept { return number<4>(31); }
};

struct OperationalHalt : StockMessage {
  static constexpr char kType = 'h';
  static constexpr std::size_t kBytes = 21;
  using StockMessage::StockMessage;
  [[nodiscard]] char market() const noexcept { return text(19); }
  [[nodiscard]] char action() const noexcept { return text(20); }
};

struct AddOrder : OrderMessage {
  static constexpr char kType = 'A';
  static constexpr std::size_t kBytes = 36;
  using OrderMessage::OrderMessage;
  [[nodiscard]] char side() const noexcept { return text(19); }
  [[nodiscard]] std::uint32_t shares() const noexcept { return number<4>(20); }
  [[nodiscard]] std::string_view stock() const noexcept { return text<8>(24); }
  [[nodiscard]] std::uint32_t price() const noexcept { return number<4>(32); }
};

struct AddOrderOfParticipant : AddOrder {
  static constexpr char kType = 'F';
  static constexpr std::size_t kBytes = 40;
  using AddOrder::AddOrder;
  [[nodiscard]] std::string_view participant() const noexcept { return text<4>(36); }
};

struct OrderExecuted : OrderMessage {
  static constexpr char kType = 'E';
  static constexpr std::size_t kBytes = 31;
  using OrderMessage::OrderMessage;
  [[nodiscard]] std::uint32_t shares() const noexcept { return number<4>(19); }
  [[nodiscard]] std::uint64_t match() const noexcept { return number<8>(23); }
};

struct OrderExecutedAtPrice : OrderExecuted {
  static constexpr char kType = 'C';
  static constexpr std::size_t kBytes = 36;
  using OrderExecuted::OrderExecuted;
  /// Y, or N where the shares are told once more with a cross.
  [[nodiscard]] char printable() const noexcept { return text(31); }
  [[nodiscard]] std::uint32_t price() const noexcept { return number<4>(32); }
};

struct OrderCancelled : OrderMessage {
  static constexpr char kType = 'X';
  static constexpr std::size_t kBytes = 23;
  using OrderMessage::OrderMessage;
  [[nodiscard]] std::uint32_t shares() const noexcept { return number<4>(19); }
};

struct OrderDeleted : OrderMessage {
  static constexpr char kType = 'D';
  static constexpr std::size_t kBytes = 19;
  using OrderMessage::OrderMessage;
};

struct OrderReplaced : OrderMessage {
  static constexpr char kType = 'U';
  static constexpr std::size_t kBytes = 35;
  using OrderMessage::OrderMessage;
  [[nodiscard]] std::uint64_t new_order() const noexcept { return number<8>(19); }
  [[nodiscard]] std::uint32_t shares() const noexcept { return number<4>(27); }
  [[nodiscard]] std::uint32_t price() const noexcept { return number<4>(31); }
};

/// A match with an order that was not shown. Its side is always B, whichever it was.
struct HiddenTrade : OrderMessage {
  static constexpr char kType = 'P';
  static constexpr std::size_t kBytes = 44;
  using OrderMessage::OrderMessage;
  [[nodiscard]] char side() const noexcept { return text(19); }
  [[nodiscard]] std::uint32_t shares() const noexcept { return number<4>(20); }
  [[nodiscard]] std::string_view stock() const noexcept { return text<8>(24); }
  [[nodiscard]] std::uint32_t price() const noexcept { return number<4>(32); }
  [[nodiscard]] std::uint64_t match() const noexcept { return number<8>(36); }
};

struct CrossTrade : Message {
  static constexpr char kType = 'Q';
  static constexpr std::size_t kBytes = 40;
  using Message::Message;
  [[nodiscard]] std::uint64_t shares() const noexcept { return number<8>(11); }
  [[nodiscard]] std::string_view stock() const noexcept { return text<8>(19); }
  [[nodiscard]] std::uint32_t price() const noexcept { return number<4>(27); }
  [[nodiscard]] std::uint64_t match() const noexcept { return number<8>(31); }
  /// O opening, C closing, H of a halted stock or an IPO, I intraday and post-close.
  [[nodiscard]] char cross() const noexcept { return text(39); }
};

struct BrokenTrade : Message {
  static constexpr char kType = 'B';
  static constexpr std::size_t kBytes = 19;
  using Message::Message;
  [[nodiscard]] std::uint64_t match() const noexcept { return number<8>(11); }
};

struct NetOrderImbalance : Message {
  static constexpr char kType = 'I';
  static constexpr std::size_t kBytes = 50;
  using Message::Message;
  [[nodiscard]] std::uint64_t paired_shares() const noexcept { return number<8>(11); }
  [[nodiscard]] std::uint64_t imbalance_shares() const noexcept { return number<8>(19); }
  [[nodiscard]] char direction() const noexcept { return text(27); }
  [[nodiscard]] std::string_view stock() const noexcept { return text<8>(28); }
  [[nodiscard]] std::uint32_t far_price() const noexcept { return number<4>(36); }
  [[nodiscard]] std::uint32_t near_price() const noexcept { return number<4>(40); }
  [[nodiscard]] std::uint32_t reference_price() const noexcept { return number<4>(44); }
  [[nodiscard]] char cross() const noexcept { return text(48); }
  [[nodiscard]] char price_variation() const noexcept { return text(49); }
};

struct RetailInterest : StockMessage {
  static constexpr char kType = 'N';
  static constexpr std::size_t kBytes = 20;
  using StockMessage::StockMessage;
  [[nodiscard]] char interest() const noexcept { return text(19); }
};

/// How a direct listing with a capital raise finds its price.
struct DirectListing : StockMessage {
  static constexpr char kType = 'O';
  static constexpr std::size_t kBytes = 48;
  using StockMessage::StockMessage;
  [[nodiscard]] char is_open_eligible() const noexcept { return text(19); }
  [[nodiscard]] std::uint32_t lowest_price() const noexcept { return number<4>(20); }
  [[nodiscard]] std::uint32_t highest_price() const noexcept { return number<4>(24); }
  [[nodiscard]] std::uint32_t near_price() const noexcept { return number<4>(28); }
  [[nodiscard]] std::uint64_t near_time_ns() const noexcept { return number<8>(32); }
  [[nodiscard]] std::uint32_t lower_collar() const noexcept { return number<4>(40); }
  [[nodiscard]] std::uint32_t upper_collar() const noexcept { return number<4>(44); }
};

/// The bytes of the longest message.
inline constexpr std::size_t kMaxBytes = NetOrderImbalance::kBytes;

}  // namespace livetape::bridge::itch
