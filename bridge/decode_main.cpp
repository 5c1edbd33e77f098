#include <simdjson.h>

#include <iostream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/venue.hpp"
#include "publish/record.hpp"

using namespace livetape::bridge;

namespace {

void decode_frames(Venue& venue, RecordEncoder& encoder) {
  Decoded decoded;
  std::string frame;
  while (std::getline(std::cin, frame)) {
    frame.reserve(frame.size() + simdjson::SIMDJSON_PADDING);
    const FrameResult result = venue.decode(frame, 0, decoded);
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
}

/// All candles of an answer of the venue's REST API, of the first instrument.
void decode_candles(Venue& venue, RecordEncoder& encoder) {
  std::string answer{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  answer.reserve(answer.size() + simdjson::SIMDJSON_PADDING);
  std::vector<Candle> candles;
  const CandleQuery all{0, 0, std::numeric_limits<std::int64_t>::max()};
  const DecodeError error = venue.read_candles(answer, all, 0, candles);
  if (error != DecodeError::none) std::cout << "error " << name_of(error) << '\n';
  for (const Candle& candle : candles) {
    Message message;
    message.kind = Message::Kind::candle;
    message.candle = candle;
    std::cout << "candle " << as_hex(encoder.encode(message)) << '\n';
  }
}

}  // namespace

/// Decodes frames of a venue from standard input, one a line, and prints each trade's and quote's record in
/// hexadecimal, or why the frame gave none: what the bridge makes of a recording, with no exchange and no broker. With
/// --candles it reads one answer to a question for candles.
int main(int argc, char** argv) {
  const bool has_candles = argc > 1 && std::string_view(argv[1]) == "--candles";
  if (has_candles) {
    --argc;
    ++argv;
  }
  if (argc < 3) {
    std::cerr << "usage: livetape-bridge-decode [--candles] VENUE INSTRUMENT=SYMBOL... < FRAMES\n";
    return 2;
  }
  std::vector<std::string> instruments;
  const auto venue = make_venue_of(argv[1], {argv + 2, argv + argc}, instruments);
  if (venue == nullptr) {
    std::cerr << "no client for venue " << argv[1] << '\n';
    return 2;
  }
  RecordEncoder encoder(std::make_shared<Instruments>(argv[1], instruments), "", SchemaIds{1, 2, 3, 4, 5});
  if (has_candles) {
    decode_candles(*venue, encoder);
  } else {
    decode_frames(*venue, encoder);
  }
  return 0;
}
