#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kit.hpp"
#include "publish/record.hpp"

/// Trades of any content as the bridge writes them: the kernel reads the same from them again. The input is the bytes
/// of the fields, one behind the other; what is missing is 0.
using livetape::Int128;
using livetape::fuzz::expect;
namespace bridge = livetape::bridge;
namespace kernel = livetape::kernel;

namespace {

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : at_(data), left_(size) {}

  template <typename T>
  T take() {
    T value{};
    const std::size_t size = std::min(sizeof value, left_);
    if (size > 0) std::memcpy(&value, at_, size);
    at_ += size;
    left_ -= size;
    return value;
  }
  std::string text(std::size_t most) {
    const std::size_t size = std::min({std::size_t{take<std::uint8_t>()}, most, left_});
    std::string out(reinterpret_cast<const char*>(at_), size);
    at_ += size;
    left_ -= size;
    return out;
  }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

/// Of at most 38 digits, as every decoder of a venue gives them.
Int128 amount(Bytes& bytes) {
  const auto limit = static_cast<Int128>(livetape::kDecimalLimit);
  return bytes.take<Int128>() % limit;
}

bridge::Trade trade_of(Bytes& bytes) {
  bridge::Trade trade;
  const std::string id = bytes.text(bridge::TradeId::kMaxBytes);
  if (!trade.id.assign(id)) (void)trade.id.assign("0");
  trade.has_seq = (bytes.take<std::uint8_t>() & 1) != 0;
  trade.seq = bytes.take<std::int64_t>();
  trade.aggressor = static_cast<bridge::Aggressor>(bytes.take<std::uint8_t>() % 3);
  trade.source = static_cast<bridge::Source>(bytes.take<std::uint8_t>() % 3);
  trade.action = bytes.take<std::uint8_t>() % 2 == 0 ? bridge::Action::trade : bridge::Action::cancel;
  trade.price = amount(bytes);
  trade.size = amount(bytes);
  trade.event_time_ns = bytes.take<std::int64_t>();
  trade.receive_time_ns = bytes.take<std::int64_t>();
  trade.publish_time_ns = bytes.take<std::int64_t>();
  trade.hardware_time_ns = bytes.take<std::int64_t>();
  return trade;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  const std::string name = bytes.text(200);
  const auto instruments = std::make_shared<bridge::Instruments>("test", std::vector<std::string>{name});
  bridge::RecordEncoder encoder(instruments, std::string(32, 'a'), {5, 2, 3, 4});
  bridge::Message message;
  message.sequence = bytes.take<std::uint64_t>();
  message.trade = trade_of(bytes);
  const bridge::Trade& trade = message.trade;

  const auto value = encoder.encode(message);
  constexpr std::size_t kWireHeader = 5;
  static const kernel::DecodePlan kPlan = kernel::fuzz::trade_plan();
  kernel::Decoded decoded;
  expect(kernel::decode(kPlan, value.subspan(kWireHeader), decoded) == kernel::DecodeError::none, "it can be read");
  expect(decoded.venue == "test" && decoded.instrument == name, "of the same instrument");
  expect(decoded.trade_id.as_text() == trade.id.view(), "with the same id");
  expect(decoded.has_trade_seq == trade.has_seq && (!trade.has_seq || decoded.trade_seq == trade.seq), "and number");
  expect(decoded.price == trade.price && decoded.size == trade.size, "with the same amounts");
  expect(decoded.event_time_ns == trade.event_time_ns && decoded.receive_time_ns == trade.receive_time_ns, "and times");
  expect(static_cast<int>(decoded.aggressor) == static_cast<int>(trade.aggressor), "by the same side");
  expect(static_cast<int>(decoded.action) == static_cast<int>(trade.action), "it does the same");
  expect(decoded.refers_to == (trade.action == bridge::Action::cancel ? trade.id.view() : ""), "to the same trade");
  return 0;
}
