#include <chrono>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/venue.hpp"
#include "publish/record.hpp"

using namespace livetape::bridge;

namespace {

constexpr int kRounds = 15;
constexpr std::size_t kPadding = 64;  // what a session leaves behind a frame, and more than simdjson wants

struct Timing {
  double ns_per_frame = std::numeric_limits<double>::infinity();
  std::size_t trades = 0;
  std::size_t bytes = 0;
};

/// One round over all frames: each decoded, and each trade written as a record where an encoder is given.
Timing round(Venue& venue, RecordEncoder* encoder, const std::vector<std::string>& frames) {
  Timing timing;
  Decoded decoded;
  Message message;
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& frame : frames) {
    (void)venue.decode(frame, 1, decoded);
    timing.trades += decoded.trades.size();
    if (encoder == nullptr) continue;
    for (const Trade& trade : decoded.trades) {
      message.trade = trade;
      ++message.sequence;
      timing.bytes += encoder->encode(message).size();
    }
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  timing.ns_per_frame = took.count() / static_cast<double>(frames.size());
  return timing;
}

/// The fastest of many rounds: what the code takes when the machine does nothing else.
Timing fastest(Venue& venue, RecordEncoder* encoder, const std::vector<std::string>& frames) {
  Timing best;
  for (int i = 0; i < kRounds; ++i) {
    const Timing timing = round(venue, encoder, frames);
    if (timing.ns_per_frame < best.ns_per_frame) best = timing;
  }
  return best;
}

}  // namespace

/// Times frames of a venue from standard input, one a line, on their way to a trade and to its record; prints JSON.
int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: bridge-frames-bench VENUE INSTRUMENT=SYMBOL... < FRAMES\n";
    return 2;
  }
  std::vector<std::string> instruments;
  const auto venue = make_venue_of(argv[1], {argv + 2, argv + argc}, instruments);
  if (venue == nullptr) {
    std::cerr << "no client for venue " << argv[1] << '\n';
    return 2;
  }
  RecordEncoder encoder(std::make_shared<Instruments>(argv[1], instruments), std::string(32, '0'),
                        SchemaIds{1, 2, 3, 4});
  std::vector<std::string> frames;
  for (std::string line; std::getline(std::cin, line);) {
    frames.push_back(line);
    frames.back().reserve(line.size() + kPadding);
  }
  const Timing decoded = fastest(*venue, nullptr, frames);
  const Timing written = fastest(*venue, &encoder, frames);
  std::cout << R"({"frames": )" << frames.size() << R"(, "trades": )" << written.trades << R"(, "record_bytes": )"
            << written.bytes << R"(, "decode_ns_per_frame": )" << decoded.ns_per_frame
            << R"(, "decode_and_encode_ns_per_frame": )" << written.ns_per_frame << "}\n";
  return 0;
}
