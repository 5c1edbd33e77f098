#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "nic/itch_book.hpp"
#include "nic/moldudp64.hpp"

using namespace livetape::bridge;

namespace {

constexpr int kRounds = 7;
constexpr std::size_t kMessages = 6'000'000;
constexpr std::size_t kResting = 400'000;       // orders that rest when the mix has settled
constexpr std::size_t kMessagesPerPacket = 24;  // about 800 bytes

/// A stream of messages as packets have them, each behind two bytes of length.
class Stream {
 public:
  std::vector<std::uint8_t> bytes;
  std::vector<std::size_t> packets;  // where each begins
  std::size_t count = 0;

  /// Bytes behind the header are given by `fill`.
  template <typename Type, typename Fill>
  void add(Fill fill) {
    if (count++ % kMessagesPerPacket == 0) packets.push_back(bytes.size());
    const std::size_t at = bytes.size();
    bytes.resize(at + mold::Messages::kLengthBytes + Type::kBytes, ' ');
    std::uint8_t* const message = bytes.data() + at + mold::Messages::kLengthBytes;
    write_big_endian<2>(bytes.data() + at, Type::kBytes);
    message[0] = static_cast<std::uint8_t>(Type::kType);
    write_big_endian<2>(message + 1, count % 9'000);
    write_big_endian<2>(message + 3, 0);
    write_big_endian<6>(message + 5, count * 1'000);
    fill(message);
  }

  [[nodiscard]] bool write(const char* path) const {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return file.flush().good();
  }
};

/// Orders that come and go in about the shares of a day of the real feed, most of them young when they go.
class Mix {
 public:
  Stream make() {
    while (resting_.size() < kResting) add();
    while (stream_.count < kMessages) step();
    return std::move(stream_);
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void step() {
    const std::uint64_t draw = below(1'000);
    if (draw < 440) return add();
    if (draw < 868) return remove();
    if (draw < 948) return replace();
    if (draw < 978) return execute();
    if (draw < 988) return cancel();
    if (draw < 993) {
      return stream_.add<itch::HiddenTrade>([&](std::uint8_t* at) {
        write_big_endian<4>(at + 20, 100);
        write_big_endian<4>(at + 32, 1'000'000);
        write_big_endian<8>(at + 36, ++match_);
      });
    }
    stream_.add<itch::NetOrderImbalance>([](std::uint8_t*) {});
  }

  void add() {
    const std::uint64_t reference = reference_ += 1 + below(3);
    resting_.push_back(reference);
    stream_.add<itch::AddOrder>([&](std::uint8_t* at) {
      write_big_endian<8>(at + 11, reference);
      at[19] = below(2) == 0 ? 'B' : 'S';
      write_big_endian<4>(at + 20, 100 + below(900));
      write_big_endian<4>(at + 32, 1'000'000 + below(10'000));
    });
  }
  /// Nine of ten are among the newest thousand, the others anywhere.
  std::uint64_t pick() {
    const std::size_t from = below(10) == 0 ? 0 : resting_.size() - std::min<std::size_t>(resting_.size(), 1'000);
    const std::size_t at = from + below(resting_.size() - from);
    const std::uint64_t reference = resting_[at];
    resting_[at] = resting_.back();
    resting_.pop_back();
    return reference;
  }
  void remove() {
    const std::uint64_t reference = pick();
    stream_.add<itch::OrderDeleted>([&](std::uint8_t* at) { write_big_endian<8>(at + 11, reference); });
  }
  void replace() {
    const std::uint64_t old = pick();
    const std::uint64_t reference = reference_ += 1 + below(3);
    resting_.push_back(reference);
    stream_.add<itch::OrderReplaced>([&](std::uint8_t* at) {
      write_big_endian<8>(at + 11, old);
      write_big_endian<8>(at + 19, reference);
      write_big_endian<4>(at + 27, 100);
      write_big_endian<4>(at + 31, 1'000'000);
    });
  }
  void execute() {
    const std::uint64_t reference = pick();
    stream_.add<itch::OrderExecuted>([&](std::uint8_t* at) {
      write_big_endian<8>(at + 11, reference);
      write_big_endian<4>(at + 19, 1'000);  // all that is left of it
      write_big_endian<8>(at + 23, ++match_);
    });
  }
  void cancel() {
    const std::uint64_t reference = pick();
    resting_.push_back(reference);
    stream_.add<itch::OrderCancelled>([&](std::uint8_t* at) {
      write_big_endian<8>(at + 11, reference);
      write_big_endian<4>(at + 19, 1);
    });
  }

  std::mt19937_64 random_{1};
  Stream stream_;
  std::vector<std::uint64_t> resting_;
  std::uint64_t reference_ = 0;
  std::uint64_t match_ = 0;
};

/// Reads every field of the messages that come often, and the header of the others.
struct ReadAll {
  std::uint64_t& sum;

  itch::Error operator()(const itch::AddOrder& m) const {
    return add(m, m.order() + m.shares() + m.price() + static_cast<std::uint64_t>(m.side()) + m.stock().size());
  }
  itch::Error operator()(const itch::OrderDeleted& m) const { return add(m, m.order()); }
  itch::Error operator()(const itch::OrderReplaced& m) const {
    return add(m, m.order() + m.new_order() + m.shares() + m.price());
  }
  itch::Error operator()(const itch::OrderExecuted& m) const { return add(m, m.order() + m.shares() + m.match()); }
  itch::Error operator()(const itch::OrderCancelled& m) const { return add(m, m.order() + m.shares()); }
  itch::Error operator()(const itch::HiddenTrade& m) const {
    return add(m, m.order() + m.shares() + m.price() + m.match() + m.stock().size());
  }
  itch::Error operator()(const itch::Message& m) const { return add(m, 0); }

  itch::Error add(const itch::Message& m, std::uint64_t fields) const {
    sum += fields + m.stock_locate() + m.tracking_number() + m.time_ns();
    return itch::Error::none;
  }
};

/// What the book tells, added up.
struct Totals {
  std::uint64_t executions = 0;
  std::uint64_t price_sum = 0;
  itch::Error on_execution(const itch::Execution& execution) {
    ++executions;
    price_sum += execution.price;
    return itch::Error::none;
  }
  static itch::Error on_broken(const itch::BrokenTrade& /*broken*/) { return itch::Error::none; }
  static itch::Error on_stock(const itch::StockDirectory& /*stock*/) { return itch::Error::none; }
  /// As the bridge asks whether orders make stocks known.
  void on_symbol(std::uint16_t stock_locate, std::string_view /*symbol*/) {
    if (learns_by_orders) [[unlikely]]
      price_sum += stock_locate;
  }
  bool learns_by_orders = false;
};

template <typename Packet>
double ns_a_message(const Stream& stream, Packet take) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < stream.packets.size(); ++i) {
    const std::size_t left = stream.count - i * kMessagesPerPacket;
    take(mold::Messages(stream.bytes.data() + stream.packets[i], std::min(left, kMessagesPerPacket)));
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return took.count() / static_cast<double>(stream.count);
}

struct Best {
  double ns = std::numeric_limits<double>::infinity();
  void take(double each) { ns = std::min(ns, each); }
};

}  // namespace

/// Times ITCH messages in packets, decoded and with the book; prints JSON. The fastest of some rounds: what the code
/// takes when the machine does nothing else. The stream is left in a file, for peers.
int main(int argc, char** argv) {
  const Stream stream = Mix().make();
  if (argc != 2 || !stream.write(argv[1])) {
    std::cerr << "usage: itch-bench FILE: the stream is written there\n";
    return 1;
  }
  Best decode, book;
  std::uint64_t sum = 0, wrong = 0;
  Totals totals;
  std::size_t resting = 0;
  for (int round = 0; round < kRounds; ++round) {
    sum = 0;
    decode.take(ns_a_message(stream, [&](mold::Messages messages) {
      for (; !messages.empty(); messages.pop())
        wrong += itch::decode(messages.front(), ReadAll{sum}) != itch::Error::none;
    }));
    itch::Book orders(2'000'000);
    totals = {};
    book.take(ns_a_message(stream, [&](mold::Messages messages) {
      for (mold::Messages ahead = messages; !ahead.empty(); ahead.pop()) orders.prefetch(ahead.front());
      for (; !messages.empty(); messages.pop()) {
        const itch::Error error = orders.apply(messages.front(), totals);
        wrong += error != itch::Error::none && error != itch::Error::too_many_shares;
      }
    }));
    resting = orders.orders();
  }
  std::cout << R"({"messages": )" << stream.count << R"(, "bytes": )" << stream.bytes.size()
            << R"(, "resting_orders": )" << resting << R"(, "executions": )" << totals.executions
            << R"(, "price_sum": )" << totals.price_sum << R"(, "checksum": )" << sum << R"(, "wrong": )" << wrong
            << R"(, "itch_decode_ns": )" << decode.ns << R"(, "itch_book_ns": )" << book.ns << "}\n";
  return 0;
}
