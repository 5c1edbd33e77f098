#pragma once

#include <cstdint>
#include <span>

#include "core/trade.hpp"
#include "nic/itch_decoder.hpp"
#include "nic/order_table.hpp"

namespace livetape::bridge::itch {

/// Shares that changed hands, as a message tells it.
struct Execution {
  char type = OrderExecuted::kType;  // of the message: E, C, P or Q
  std::uint16_t stock_locate = 0;
  std::uint64_t time_ns = 0;  // since midnight
  std::uint64_t match = 0;
  std::uint32_t price = 0;  // 10^-4
  std::uint64_t shares = 0;
  Aggressor aggressor = Aggressor::unknown;
  bool is_printable = true;
  char cross = ' ';  // of a Q: O, C, H or I
};

/// Follows the orders of all stocks as far as the prices of executions need it, and tells of executions.
///
/// `Listener` has `Error on_execution(const Execution&)`, `Error on_broken(const BrokenTrade&)`,
/// `Error on_stock(const StockDirectory&)` and, for each other message that an execution's stock can be known by,
/// `void on_symbol(std::uint16_t stock_locate, std::string_view symbol)`. What is wrong with a message is told by its
/// code; whatever can be used of it is used all the same.
class Book {
 public:
  /// Makes room for so many orders at a time; more are taken, but make it grow.
  explicit Book(std::size_t orders) : orders_(orders) {}

  /// Fetches what a message will need, some messages before it is applied. Those of no order fetch a line for nothing:
  /// that is cheaper than a branch that nobody can foresee.
  void prefetch(std::span<const std::uint8_t> message) const noexcept {
    if (message.size() < OrderDeleted::kBytes) return;
    const std::size_t second = message.size() == OrderReplaced::kBytes ? 19 : 11;
    orders_.prefetch(read_big_endian<8>(message.data() + 11));
    orders_.prefetch(read_big_endian<8>(message.data() + second));
  }

  template <typename Listener>
  [[nodiscard]] Error apply(std::span<const std::uint8_t> message, Listener& listener) {
    return decode(message, Visitor<Listener>{*this, listener});
  }

  /// All orders go: a new day begins.
  void clear() noexcept { orders_.clear(); }
  [[nodiscard]] std::size_t orders() const noexcept { return orders_.size(); }

 private:
  template <typename Listener>
  struct Visitor {
    Book& book;
    Listener& listener;

    Error operator()(const AddOrder& add) const {
      listener.on_symbol(add.stock_locate(), add.stock());
      return book.add(add.order(), side_of(add.side()), add.shares(), add.price());
    }
    Error operator()(const OrderDeleted& deleted) const {
      const auto place = book.orders_.find(deleted.order());
      if (!place) return Error::unknown_order;
      book.orders_.erase(place);
      return Error::none;
    }
    Error operator()(const OrderReplaced& replaced) const {
      const auto place = book.orders_.find(replaced.order());
      const Side side = place ? book.orders_.at(place).side : Side::unknown;
      if (place) book.orders_.erase(place);
      const Error error = book.add(replaced.new_order(), side, replaced.shares(), replaced.price());
      return place ? error : Error::unknown_order;
    }
    Error operator()(const OrderCancelled& cancelled) const {
      const auto place = book.orders_.find(cancelled.order());
      if (!place) return Error::unknown_order;
      return book.take(place, cancelled.shares());
    }
    Error operator()(const OrderExecuted& executed) const {
      const auto place = book.orders_.find(executed.order());
      if (!place) return Error::unknown_order;
      const Order order = book.orders_.at(place);
      Execution execution = of(executed, executed.match(), executed.shares(), order.price);
      execution.aggressor = other_side(order.side);
      const Error told = listener.on_execution(execution);
      const Error taken = book.take(place, executed.shares());
      return taken == Error::none ? told : taken;
    }
    /// It says its price, so that it is told even of an order that we never heard of.
    Error operator()(const OrderExecutedAtPrice& executed) const {
      const auto place = book.orders_.find(executed.order());
      Execution execution = of(executed, executed.match(), executed.shares(), executed.price());
      execution.is_printable = executed.printable() != 'N';
      if (place) execution.aggressor = other_side(book.orders_.at(place).side);
      const Error told = listener.on_execution(execution);
      const Error taken = place ? book.take(place, executed.shares()) : Error::unknown_order;
      return taken == Error::none ? told : taken;
    }
    Error operator()(const HiddenTrade& trade) const {
      listener.on_symbol(trade.stock_locate(), trade.stock());
      return listener.on_execution(of(trade, trade.match(), trade.shares(), trade.price()));
    }
    /// One of no shares says that the cross found no match.
    Error operator()(const CrossTrade& trade) const {
      listener.on_symbol(trade.stock_locate(), trade.stock());
      if (trade.shares() == 0) return Error::none;
      Execution execution = of(trade, trade.match(), trade.shares(), trade.price());
      execution.cross = trade.cross();
      return listener.on_execution(execution);
    }
    Error operator()(const BrokenTrade& broken) const { return listener.on_broken(broken); }
    Error operator()(const StockDirectory& stock) const { return listener.on_stock(stock); }
    Error operator()(const Message& /*other*/) const { return Error::none; }
  };

  static Execution of(const Message& message, std::uint64_t match, std::uint64_t shares, std::uint32_t price) {
    Execution execution;
    execution.type = message.type();
    execution.stock_locate = message.stock_locate();
    execution.time_ns = message.time_ns();
    execution.match = match;
    execution.price = price;
    execution.shares = shares;
    return execution;
  }

  static Side side_of(char side) noexcept { return side == 'B' ? Side::buy : side == 'S' ? Side::sell : Side::unknown; }
  static Aggressor other_side(Side resting) noexcept {
    return resting == Side::buy ? Aggressor::sell : resting == Side::sell ? Aggressor::buy : Aggressor::unknown;
  }

  Error add(std::uint64_t reference, Side side, std::uint32_t shares, std::uint32_t price) {
    if (reference >= OrderTable::kReferenceLimit) return Error::order_out_of_range;
    if (shares == 0) return Error::no_shares;
    return orders_.insert({reference, price, shares, side}) ? Error::none : Error::known_order;
  }
  Error take(OrderTable::Place place, std::uint32_t shares) noexcept {
    const std::uint32_t left = orders_.at(place).shares;
    orders_.take(place, shares);
    return shares > left ? Error::too_many_shares : Error::none;
  }

  OrderTable orders_;
};

}  // namespace livetape::bridge::itch
