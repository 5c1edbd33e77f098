#include <cstdint>
#include <span>

#include "expect.hpp"
#include "nic/itch_trades.hpp"

/// Messages of ITCH, each behind a byte of length: whatever comes, trades are sane, and a book that was told ahead what
/// comes says the same as one that was not.
using namespace livetape::bridge;
using livetape::fuzz::expect;

namespace {

/// Sums up what it hears, and looks at each trade.
class Listener final : public itch::Trades::Listener {
 public:
  std::uint64_t trades = 0;
  livetape::Int128 amounts = 0;

  void on_trade(const Trade& trade) override {
    ++trades;
    amounts += trade.price + trade.size;
    expect(!trade.id.view().empty(), "a trade has an id");
    expect(trade.conditions.size() <= 2, "a trade has two conditions at the most");
    if (trade.action == Action::cancel) return;
    expect(trade.price > 0 && trade.size > 0, "amounts are positive");
    expect(trade.instrument < itch::Trades::kStocks, "an instrument has a number");
  }
};

struct Reader {
  Instruments instruments{"nasdaq", itch::Trades::kStocks};
  Listener listener;
  itch::Trades trades{instruments, {}, "USD", ExchangeDay({{0, 0}}, 0), 0, listener};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Reader plain, ahead;  // their tables are large: to make them anew would take most of the time
  for (Reader* reader : {&plain, &ahead}) {
    reader->trades.begin_session();
    reader->listener.trades = 0;
    reader->listener.amounts = 0;
  }
  for (std::size_t at = 0; at < size;) {
    const std::size_t length = std::min<std::size_t>(data[at], size - at - 1);
    const std::span message(data + at + 1, length);
    at += 1 + length;
    ahead.trades.prefetch(message);
    const itch::Error error = plain.trades.take(message, 1);
    expect(ahead.trades.take(message, 1) == error, "two readers of one stream say the same");
    expect(!itch::name_of(error).empty(), "an error has a name");
  }
  expect(plain.listener.trades == ahead.listener.trades, "two readers see as many trades");
  expect(plain.listener.amounts == ahead.listener.amounts, "and the same");
  return 0;
}
