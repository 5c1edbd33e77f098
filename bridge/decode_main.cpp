#include <simdjson.h>

#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/venue.hpp"
#include "publish/record.hpp"

using namespace livetape::bridge;

/// Decodes frames of a venue from standard input, one a line, and prints each trade's and quote's record in
/// hexadecimal, or why the frame gave none: what the bridge makes of a recording, with no exchange and no broker.
int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: livetape-bridge-decode VENUE INSTRUMENT=SYMBOL... < FRAMES\n";
    return 2;
  }
  std::vector<std::string> instruments;
  const auto venue = make_venue_of(argv[1], {argv + 2, argv + argc}, instruments);
  if (venue == nullptr) {
    std::cerr << "no client for venue " << argv[1] << '\n';
    return 2;
  }
  RecordEncoder encoder(std::make_shared<Instruments>(argv[1], instruments), "", SchemaIds{1, 2, 3, 4});
  Decoded decoded;
  std::string frame;
  while (std::getline(std::cin, frame)) {
    frame.reserve(frame.size() + simdjson::SIMDJSON_PADDING);
    const FrameResult result = venue->decode(frame, 0, decoded);
    if (result.kind == FrameKind::error) std::cout << "error " << name_of(result.error) << '\n';
    for (const Trade& trade : decoded.trades) {
      Message message;
      message.trade = trade;
      std::cout << "trade " << as_hex(encoder.encode(message)) << '\n';
    }
    for (const Quote& quote : decoded.quotes) {
      Message message;
      message.kind = Message::Kind::quote;
      message.quote = quote;
      std::cout << "quote " << as_hex(encoder.encode(message)) << '\n';
    }
  }
  return 0;
}
