#include "venue_rules.hpp"

#include "byte_reader.hpp"

namespace livetape::kernel {

CountsFor VenueRules::counts_for(std::span<const std::uint8_t> conditions_array) const {
  CountsFor all;
  if (conditions.empty()) return all;
  ByteReader in(conditions_array);
  for (std::int64_t count = in.varlong(); count != 0 && in.ok(); count = in.varlong()) {
    if (count < 0) {
      count = -count;
      in.varlong();
    }
    for (; count > 0 && in.ok(); --count) {
      const auto found = conditions.find(in.prefixed_text());
      if (found == conditions.end()) continue;
      all.open_close &= found->second.open_close;
      all.high_low &= found->second.high_low;
      all.volume &= found->second.volume;
    }
  }
  return all;
}

}  // namespace livetape::kernel
