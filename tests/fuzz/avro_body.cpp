#include "kit.hpp"

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const DecodePlan kPlans[] = {fuzz::trade_plan(), fuzz::clock_plan()};
  for (const DecodePlan& plan : kPlans) {
    Decoded decoded;
    if (decode(plan, {data, size}, decoded) != DecodeError::none) continue;
    for (const std::string_view text : {decoded.venue, decoded.instrument, decoded.trade_id.text, decoded.refers_to}) {
      fuzz::expect(lies_in(text, data, size), "text is part of the body");
    }
    fuzz::expect(is_in_bounds(decoded.price) && is_in_bounds(decoded.size), "amounts have at most 38 digits");
  }
  return 0;
}
