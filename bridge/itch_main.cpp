#include <array>
#include <charconv>
#include <iostream>
#include <string_view>

#include "nic/itch_trades.hpp"
#include "publish/record.hpp"

using namespace livetape::bridge;

namespace {

/// Prints each trade's record.
class Printer final : public itch::Trades::Listener {
 public:
  void on_trade(const Trade& trade) override {
    Message message;
    message.sequence = ++number_;
    message.trade = trade;
    std::cout << "trade " << as_hex(encoder_.encode(message)) << '\n';
  }
  [[nodiscard]] Instruments& instruments() noexcept { return *instruments_; }

 private:
  std::shared_ptr<Instruments> instruments_ = std::make_shared<Instruments>("nasdaq", itch::Trades::kStocks);
  RecordEncoder encoder_{instruments_, "", SchemaIds{1, 2, 3, 4}};
  std::uint64_t number_ = 0;
};

enum class Input : std::uint8_t { message, end, cut_off };

/// Reads a message behind its two bytes of length.
Input read(std::istream& in, std::vector<std::uint8_t>& message) {
  std::array<std::uint8_t, 2> length{};
  if (!in.read(reinterpret_cast<char*>(length.data()), length.size())) {
    return in.gcount() == 0 ? Input::end : Input::cut_off;
  }
  message.resize(read_big_endian<2>(length.data()));
  const bool is_whole(in.read(reinterpret_cast<char*>(message.data()), static_cast<long>(message.size())));
  return is_whole ? Input::message : Input::cut_off;
}

}  // namespace

/// Decodes ITCH 5.0 messages from standard input, each behind two bytes of length, and prints each trade's record in
/// hexadecimal, or why a message was of no use; ends with 1 where the input is cut off in a message. The argument is
/// midnight of their day in nanoseconds since 1970.
int main(int argc, char** argv) {
  std::int64_t midnight_ns = 0;
  const std::string_view text = argc == 2 ? argv[1] : "";
  if (text.empty() || std::from_chars(text.begin(), text.end(), midnight_ns).ptr != text.end()) {
    std::cerr << "usage: livetape-bridge-itch MIDNIGHT_NS < MESSAGES\n";
    return 2;
  }
  Printer printer;
  itch::Trades trades(printer.instruments(), {}, "USD", ExchangeDay({{0, 0}}, midnight_ns), 1, printer);
  std::vector<std::uint8_t> message;
  Input input = read(std::cin, message);
  for (; input == Input::message; input = read(std::cin, message)) {
    const itch::Error error = trades.take(message, 0);
    if (error != itch::Error::none) std::cout << "error " << itch::name_of(error) << '\n';
  }
  if (input == Input::end) return 0;
  std::cout << "error cut_off\n";
  return 1;
}
