#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/exchange_day.hpp"
#include "core/instruments.hpp"
#include "core/session_day.hpp"
#include "core/trade.hpp"
#include "nic/itch_book.hpp"

namespace livetape::bridge::itch {

/// Makes trades of a session's messages. A stock is known from its directory message on, or, where that was not heard,
/// from the first order or trade that names it; its instrument is its symbol and the currency, AAPL-USD. Trade ids are
/// match numbers, which are unique on a day; a broken trade becomes a cancellation of that id.
class Trades {
 public:
  static constexpr std::size_t kStocks = std::size_t{1} << 16;  // that a locate code can number

  /// Hears of the trades, in the order of the messages.
  class Listener {
   public:
    Listener() = default;
    virtual ~Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    virtual void on_trade(const Trade& trade) = 0;
  };

  /// Makes trades of these instruments, which are added to `instruments` as the directory names them; of every stock
  /// where there are none. `orders` is how many there is room for at the beginning.
  Trades(Instruments& instruments, const std::vector<std::string>& wanted, std::string currency, ExchangeDay day,
         std::size_t orders, Listener& listener);

  /// Forgets the day before: its orders and its stocks' numbers. The session is of a day that was told before, once it
  /// has the message that told it.
  void begin_session(std::optional<SessionDay> told_before = std::nullopt);
  /// The session's day, once it is told.
  [[nodiscard]] std::optional<SessionDay> day() const noexcept {
    if (earliest_ns_ == kDayNs) return std::nullopt;
    return SessionDay{earliest_ns_, midnight_ns_};
  }
  void prefetch(std::span<const std::uint8_t> message) const noexcept { book_.prefetch(message); }
  [[nodiscard]] Error take(std::span<const std::uint8_t> message, std::int64_t receive_time_ns) {
    receive_time_ns_ = receive_time_ns;
    return book_.apply(message, *this);
  }

  /// When a message was sent, in nanoseconds since 1970; nothing when it cannot be decoded, or says no time, or one
  /// that is still to come.
  [[nodiscard]] std::optional<std::int64_t> event_time_ns(std::span<const std::uint8_t> message,
                                                          std::int64_t receive_time_ns);

  // Called by the book.
  [[nodiscard]] Error on_execution(const Execution& execution);
  [[nodiscard]] Error on_broken(const BrokenTrade& broken);
  [[nodiscard]] Error on_stock(const StockDirectory& directory);
  /// Of no use while the directory is heard, as it nearly always is: so it must cost next to nothing.
  [[gnu::always_inline]] void on_symbol(std::uint16_t stock_locate, std::string_view symbol) {
    if (learns_by_orders_) [[unlikely]]
      learn(stock_locate, symbol);
  }

 private:
  struct Stock {
    static constexpr std::uint32_t kUnknown = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::uint32_t kUnwanted = kUnknown - 1;
    std::uint32_t instrument = kUnknown;
    std::uint32_t round_lot = 0;
  };
  /// A message before those that told the session's day.
  struct Earlier {
    std::uint64_t since_midnight_ns;
    std::int64_t midnight_ns;  // of the day that it fits
  };
  static constexpr std::uint64_t kDayNs = 86'400'000'000'000;
  static constexpr std::uint32_t kUsualRoundLot = 100;  // of nearly all stocks; the directory alone tells

  [[nodiscard]] Error identify(Trade& trade, std::uint16_t stock_locate, std::uint64_t match, std::uint64_t time_ns);
  void learn(std::uint16_t stock_locate, std::string_view symbol);
  [[nodiscard]] Error know(std::uint16_t stock_locate, std::string_view symbol, std::uint32_t round_lot);
  [[nodiscard]] std::uint32_t instrument_of(std::string_view symbol);
  /// Times of a session do not go back. One before the first is wrong, or the first was: two on end that agree on a day
  /// tell the session's, and until then each message is of the day that its own time fits.
  [[nodiscard]] std::optional<std::int64_t> event_time_ns(std::uint64_t since_midnight_ns);

  Instruments& instruments_;
  std::unordered_map<std::string, std::uint32_t> numbers_;  // by symbol, unwanted ones among them
  bool wants_all_;
  std::string currency_;
  ExchangeDay day_;
  Listener& listener_;
  Book book_;
  std::vector<Stock> stocks_{kStocks};  // by locate code
  bool learns_by_orders_ = true;        // until the directory is heard, and again once it turns out to lack a stock
  std::int64_t receive_time_ns_ = 0;
  std::int64_t midnight_ns_ = 0;
  std::uint64_t earliest_ns_ = kDayNs;  // since midnight, of the messages that told the session's day; none did yet
  std::optional<Earlier> earlier_;      // the last message, where it was before that
  std::optional<SessionDay> told_before_;
};

}  // namespace livetape::bridge::itch
