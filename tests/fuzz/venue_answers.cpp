#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "exchange/venue.hpp"
#include "expect.hpp"
#include "livetape/decimal.hpp"

/// What venues send: the first byte chooses the venue, the second what is read — a frame of the stream, an answer of
/// its history, its list of instruments, its candles — and the rest is that. Whatever comes, what is read is sane, and
/// the same bytes are read the same again.
using namespace livetape::bridge;
using livetape::fuzz::expect;

namespace {

constexpr std::int64_t kReceived = 1'700'000'000'000'000'000;

/// How a venue calls the two instruments of the seeds.
struct Names {
  std::string_view venue;
  std::array<VenueSymbol, 2> symbols;
};

const std::vector<std::string>& instruments() {
  static const std::vector<std::string> kInstruments{"BTC-USDT", "ETH-USDT"};
  return kInstruments;
}

const std::vector<Names>& venues() {
  static const std::vector<Names> kVenues{
      {"binance", {{{"BTCUSDT", "BTCUSDT"}, {"ETHUSDT", "ETHUSDT"}}}},
      {"binance-usdm", {{{"BTCUSDT", "BTCUSDT"}, {"ETHUSDT", "ETHUSDT"}}}},
      {"bitstamp", {{{"btcusdt", "btcusdt"}, {"ethusdt", "ethusdt"}}}},
      {"bybit", {{{"BTCUSDT", "BTCUSDT"}, {"ETHUSDT", "ETHUSDT"}}}},
      {"coinbase", {{{"BTC-USDT", "BTC-USDT"}, {"ETH-USDT", "ETH-USDT"}}}},
      {"kraken", {{{"BTC/USDT", "BTCUSDT"}, {"ETH/USDT", "ETHUSDT"}}}},
      {"okx", {{{"BTC-USDT", "BTC-USDT"}, {"ETH-USDT", "ETH-USDT"}}}},
  };
  return kVenues;
}

std::unique_ptr<Venue> nameless(const Names& names) {
  auto venue = make_venue(names.venue, instruments());
  expect(venue != nullptr, "the venue is known");
  return venue;
}

std::unique_ptr<Venue> named(const Names& names) {
  auto venue = nameless(names);
  for (std::uint32_t i = 0; i < names.symbols.size(); ++i) venue->name(i, names.symbols[i]);
  return venue;
}

bool is_amount(livetape::Int128 amount) {
  return amount > 0 && amount < static_cast<livetape::Int128>(livetape::kDecimalLimit);
}

auto parts_of(const Trade& trade) {
  return std::tuple(trade.instrument, std::string(trade.id.view()), trade.has_seq, trade.seq, trade.aggressor,
                    trade.action, trade.price, trade.size, trade.event_time_ns, trade.receive_time_ns,
                    trade.conditions.size());
}

auto parts_of(const Quote& quote) {
  return std::tuple(quote.instrument, quote.has_seq, quote.seq, quote.bid.price, quote.bid.size, quote.ask.price,
                    quote.ask.size, quote.event_time_ns, quote.has_venue_time);
}

auto parts_of(const Candle& candle) {
  return std::tuple(candle.instrument, candle.has_trades, candle.start_ns, candle.open, candle.high, candle.low,
                    candle.close, candle.volume, candle.trades, candle.receive_time_ns);
}

template <typename Item>
auto parts_of(const std::vector<Item>& items) {
  std::vector<decltype(parts_of(items.front()))> parts;
  for (const Item& item : items) parts.push_back(parts_of(item));
  return parts;
}

void expect_sane(const std::vector<Trade>& trades) {
  for (const Trade& trade : trades) {
    expect(trade.instrument < instruments().size(), "a trade is of an instrument that was asked for");
    expect(!trade.id.view().empty(), "a trade has an id");
    expect(is_amount(trade.price) && is_amount(trade.size), "amounts are positive, with at most 38 digits");
    expect(trade.receive_time_ns == kReceived, "a trade knows when it was received");
    expect(!trade.has_seq || (trade.seq >= 0 && trade.id.view() == std::to_string(trade.seq)), "a number is the id");
  }
}

void expect_sane(const std::vector<Quote>& quotes) {
  for (const Quote& quote : quotes) {
    expect(quote.instrument < instruments().size(), "a quote is of an instrument that was asked for");
    for (const Level& level : {quote.bid, quote.ask}) {
      const bool is_empty = level.price == 0 && level.size == 0;
      expect(is_empty || (is_amount(level.price) && is_amount(level.size)), "a side has price and size, or neither");
    }
  }
}

void read_frame(const Names& names, std::string_view body) {
  const auto venue = named(names);
  Decoded first, again;
  const FrameResult result = venue->decode(body, kReceived, first);
  expect((result.kind == FrameKind::error) == (result.error != DecodeError::none), "an error has a reason, and is one");
  expect_sane(first.trades);
  expect_sane(first.quotes);
  const FrameResult second = named(names)->decode(body, kReceived, again);
  expect(result.kind == second.kind && result.error == second.error && result.reason == second.reason,
         "a frame is the same to a venue that is asked anew");
  expect(parts_of(first.trades) == parts_of(again.trades), "its trades are the same");
  expect(parts_of(first.quotes) == parts_of(again.quotes), "its quotes are the same");
}

void read_history(const Names& names, std::string_view body) {
  const auto venue = named(names);
  const HistoryQuery query{1, 0, std::nullopt, 0, kReceived};
  std::vector<Trade> first, again;
  const DecodeError error = venue->read_history(body, query, kReceived, first);
  expect_sane(first);  // of whichever instrument: the backfill refuses a page that has another's
  if (!first.empty()) (void)venue->complete_since_ns(query, first);
  expect(venue->read_history(body, query, kReceived, again) == error, "an answer is the same when it comes again");
  expect(parts_of(first) == parts_of(again), "its trades are the same");
  const bool is_unlisted = venue->says_unlisted(body);
  expect(venue->says_unlisted(body) == is_unlisted, "so is what it says of the instrument");
  const auto refusal = venue->refusal(body);
  expect(!refusal || error != DecodeError::none, "what is refused cannot be read");
}

void read_instruments(const Names& names, std::string_view body) {
  const auto venue = nameless(names);
  const auto again = nameless(names);
  expect(venue->read_instruments(body) == again->read_instruments(body), "a list is the same when it comes again");
  for (std::uint32_t i = 0; i < venue->instrument_count(); ++i) {
    expect(venue->is_listed(i) == again->is_listed(i), "it lists the same");
    if (!venue->is_listed(i)) continue;
    expect(!venue->subscribe_message(Channel::trades, {&i, 1}, true).empty(), "what is listed can be subscribed to");
    expect(!venue->history_target({i, 0, std::nullopt, 0, kReceived}).empty(), "and asked for");
  }
}

void read_candles(const Names& names, std::string_view body) {
  const auto venue = named(names);
  const CandleQuery query{1, kReceived - kReceived % kMinuteNs, kReceived - kReceived % kMinuteNs + 99 * kMinuteNs};
  std::vector<Candle> first, again;
  const DecodeError error = venue->read_candles(body, query, kReceived, first);
  for (const Candle& candle : first) {
    expect(candle.instrument == query.instrument, "candles are of what was asked for");
    expect(candle.start_ns >= query.first_ns && candle.start_ns <= query.last_ns, "and of the minutes asked for");
    expect(candle.volume >= 0, "a volume is not negative");
    // Of a minute without trades a venue may say what it likes.
    for (const livetape::Int128 price : {candle.open, candle.high, candle.low, candle.close}) {
      expect(candle.volume == 0 || is_amount(price), "prices of trades are positive, with at most 38 digits");
    }
  }
  expect(venue->read_candles(body, query, kReceived, again) == error, "candles are the same when they come again");
  expect(parts_of(first) == parts_of(again), "each of them");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Names& names = venues()[data[0] % venues().size()];
  // Of its own size, so that the sanitizer sees what is read behind the padding.
  const std::size_t length = size - 2;
  const auto body = std::make_unique<char[]>(length + simdjson::SIMDJSON_PADDING);
  std::copy_n(data + 2, length, body.get());
  const std::string_view text(body.get(), length);
  constexpr std::uint8_t kKinds = 4;
  switch (data[1] % kKinds) {
    case 0:
      read_frame(names, text);
      break;
    case 1:
      read_history(names, text);
      break;
    case 2:
      read_instruments(names, text);
      break;
    default:
      read_candles(names, text);
  }
  return 0;
}
