#include "nic/itch_trades.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "core/time.hpp"

namespace livetape::bridge::itch {
namespace {

// What is particular about a trade, the rarer thing first; every trade of less than a round lot is an odd lot.
using Codes = std::array<std::string_view, 2>;
constexpr std::string_view kOddLot = "odd-lot";
constexpr Codes kShown{kOddLot};
constexpr Codes kNonPrintable{"non-printable", kOddLot};
constexpr Codes kHidden{"hidden", kOddLot};
constexpr Codes kOpeningCross{"opening-cross"};
constexpr Codes kClosingCross{"closing-cross"};
constexpr Codes kHaltCross{"halt-cross"};
constexpr Codes kIntradayCross{"intraday-cross"};

const Codes& codes_of_cross(char cross) noexcept {
  switch (cross) {
    case 'O':
      return kOpeningCross;
    case 'C':
      return kClosingCross;
    case 'H':
      return kHaltCross;
    default:
      return kIntradayCross;
  }
}

std::span<const std::string_view> conditions_of(const Execution& execution, std::uint32_t round_lot) noexcept {
  const std::size_t odd = execution.shares < round_lot ? 1 : 0;
  if (execution.type == CrossTrade::kType) return std::span(codes_of_cross(execution.cross)).first(1);
  if (execution.type == HiddenTrade::kType) return std::span(kHidden).first(1 + odd);
  if (!execution.is_printable) return std::span(kNonPrintable).first(1 + odd);
  return std::span(kShown).first(odd);
}

bool is_name(std::string_view symbol) noexcept {
  return !symbol.empty() && std::ranges::all_of(symbol, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

Trades::Trades(Instruments& instruments, const std::vector<std::string>& wanted, std::string currency, ExchangeDay day,
               std::size_t orders, Listener& listener)
    : instruments_(instruments),
      wants_all_(wanted.empty()),
      currency_(std::move(currency)),
      day_(std::move(day)),
      listener_(listener),
      book_(orders) {
  for (const std::string& name : wanted) {
    const std::string suffix = '-' + currency_;
    const bool is_ours = name.ends_with(suffix);
    if (!is_ours) throw std::invalid_argument("instruments are named SYMBOL-" + currency_ + ", and not " + name);
    numbers_.emplace(name.substr(0, name.size() - suffix.size()), instruments_.add(name));
  }
}

void Trades::begin_session(std::optional<SessionDay> told_before) {
  book_.clear();
  stocks_.assign(kStocks, Stock{});
  learns_by_orders_ = true;
  earliest_ns_ = kDayNs;
  earlier_.reset();
  told_before_ = told_before;
}

Error Trades::on_execution(const Execution& execution) {
  if (execution.shares == 0) return Error::no_shares;
  if (execution.price == 0) return Error::no_price;
  Trade trade;
  const Error error = identify(trade, execution.stock_locate, execution.match, execution.time_ns);
  if (error != Error::none) return error;
  const Stock& stock = stocks_[execution.stock_locate];
  if (stock.instrument == Stock::kUnwanted) return Error::none;
  constexpr auto kPriceUnit = static_cast<Int128>(power_of_ten(14));
  constexpr auto kShare = static_cast<Int128>(power_of_ten(18));
  trade.price = execution.price * kPriceUnit;
  trade.size = execution.shares * kShare;
  trade.aggressor = execution.aggressor;
  trade.conditions = conditions_of(execution, stock.round_lot);
  listener_.on_trade(trade);
  return Error::none;
}

Error Trades::on_broken(const BrokenTrade& broken) {
  Trade trade;
  const Error error = identify(trade, broken.stock_locate(), broken.match(), broken.time_ns());
  if (error != Error::none) return error;
  if (trade.instrument == Stock::kUnwanted) return Error::none;
  trade.action = Action::cancel;
  listener_.on_trade(trade);
  return Error::none;
}

Error Trades::identify(Trade& trade, std::uint16_t stock_locate, std::uint64_t match, std::uint64_t time_ns) {
  trade.instrument = stocks_[stock_locate].instrument;
  if (trade.instrument == Stock::kUnknown) {
    learns_by_orders_ = true;
    return Error::unknown_stock;
  }
  const auto event_ns = event_time_ns(time_ns);
  if (!event_ns) return Error::time_out_of_range;
  std::array<char, TradeId::kMaxBytes> digits{};
  const auto written = std::to_chars(digits.begin(), digits.end(), match);
  (void)trade.id.assign({digits.data(), written.ptr});
  trade.event_time_ns = *event_ns;
  trade.receive_time_ns = receive_time_ns_;
  return Error::none;
}

Error Trades::on_stock(const StockDirectory& directory) {
  learns_by_orders_ = false;
  return know(directory.stock_locate(), directory.stock(), directory.round_lot());
}

void Trades::learn(std::uint16_t stock_locate, std::string_view symbol) {
  if (stocks_[stock_locate].instrument == Stock::kUnknown) (void)know(stock_locate, symbol, kUsualRoundLot);
}

Error Trades::know(std::uint16_t stock_locate, std::string_view symbol, std::uint32_t round_lot) {
  if (!is_name(symbol)) return Error::bad_name;
  stocks_[stock_locate] = {instrument_of(symbol), round_lot};
  return Error::none;
}

/// A stock keeps its number from day to day, whatever locate code it has. More than there can be in a day are unwanted:
/// only a broken feed names so many.
std::uint32_t Trades::instrument_of(std::string_view symbol) {
  std::string text(symbol);
  const auto found = numbers_.find(text);
  if (found != numbers_.end()) return found->second;
  const bool is_wanted = wants_all_ && numbers_.size() < kStocks;
  if (!is_wanted) return Stock::kUnwanted;
  const std::uint32_t number = instruments_.add(text + '-' + currency_);
  numbers_.emplace(std::move(text), number);
  return number;
}

std::optional<std::int64_t> Trades::event_time_ns(std::span<const std::uint8_t> message, std::int64_t receive_time_ns) {
  receive_time_ns_ = receive_time_ns;
  if (decode(message, [](const Message& /*any*/) { return Error::none; }) != Error::none) return std::nullopt;
  const auto time_ns = event_time_ns(Message(message.data()).time_ns());
  if (!time_ns || is_of_the_future(*time_ns, receive_time_ns)) return std::nullopt;
  return time_ns;
}

std::optional<std::int64_t> Trades::event_time_ns(std::uint64_t since_midnight_ns) {
  if (since_midnight_ns >= kDayNs) return std::nullopt;
  const auto since_ns = static_cast<std::int64_t>(since_midnight_ns);
  // Looked at first: a message before it may have been given up then, and have told the day now. A day that was told is
  // never one that is still to come: our clock was wrong then.
  if (told_before_ && told_before_->since_midnight_ns == since_midnight_ns &&
      told_before_->midnight_ns <= day_.midnight_ns(receive_time_ns_, since_ns)) {
    midnight_ns_ = told_before_->midnight_ns;
    earliest_ns_ = std::min(earliest_ns_, since_midnight_ns);
    earlier_.reset();
    return midnight_ns_ + since_ns;
  }
  if (since_midnight_ns >= earliest_ns_) {
    earlier_.reset();
    return midnight_ns_ + since_ns;
  }
  const std::int64_t midnight_ns = day_.midnight_ns(receive_time_ns_, since_ns);
  // One of the same time may be the same message, which is asked about more than once.
  if (earlier_ && earlier_->midnight_ns == midnight_ns && earlier_->since_midnight_ns < since_midnight_ns) {
    midnight_ns_ = midnight_ns;
    earliest_ns_ = earlier_->since_midnight_ns;
  }
  earlier_ = Earlier{since_midnight_ns, midnight_ns};
  return midnight_ns + since_ns;
}

}  // namespace livetape::bridge::itch
