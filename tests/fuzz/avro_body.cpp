#include <tuple>
#include <vector>

#include "kit.hpp"
#include "unchecked_reader.hpp"

/// Any bytes as the body of a trade and of a clock.
using namespace livetape::kernel;

namespace {

bool lies_in(std::string_view text, const std::uint8_t* data, std::size_t size) {
  const auto* begin = reinterpret_cast<const char*>(data);
  return text.empty() || (text.data() >= begin && text.data() + text.size() <= begin + size);
}

bool is_in_bounds(livetape::Int128 amount) {
  const auto limit = static_cast<livetape::Int128>(livetape::kDecimalLimit);
  return -limit < amount && amount < limit;
}

/// What was decoded, for comparison: everything that an earlier record cannot have left.
auto parts_of(const Decoded& decoded) {
  return std::tuple(decoded.venue, decoded.instrument, decoded.trade_id, decoded.refers_to, decoded.conditions.size(),
                    decoded.price, decoded.size, decoded.has_trade_seq ? decoded.trade_seq : 0, decoded.event_time_ns,
                    decoded.receive_time_ns, decoded.action, decoded.aggressor, decoded.has_trade_seq);
}

/// A body is read the same whether there is memory behind it, and a trade is read at one go, or not.
void read_in_both_ways(const DecodePlan& plan, Bytes body) {
  std::vector<std::uint8_t> roomy(body.begin(), body.end());
  roomy.resize(body.size() + UncheckedReader::kMargin, 0xff);
  Decoded at_once;
  Decoded by_step;
  const Bytes same(roomy.data(), body.size());
  const DecodeError error = decode(plan, same, at_once, roomy.data() + roomy.size());
  fuzz::expect(error == decode(plan, same, by_step), "a body is well formed in either way, or in none");
  fuzz::expect(error != DecodeError::none || parts_of(at_once) == parts_of(by_step), "both ways read the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const DecodePlan kPlans[] = {fuzz::trade_plan(), fuzz::clock_plan()};
  for (const DecodePlan& plan : kPlans) {
    read_in_both_ways(plan, {data, size});
    Decoded decoded;
    if (decode(plan, {data, size}, decoded) != DecodeError::none) continue;
    for (const std::string_view text : {decoded.venue, decoded.instrument, decoded.trade_id.text, decoded.refers_to}) {
      fuzz::expect(lies_in(text, data, size), "text is part of the body");
    }
    fuzz::expect(is_in_bounds(decoded.price) && is_in_bounds(decoded.size), "amounts have at most 38 digits");
  }
  return 0;
}
