#include "nic/itch_decoder.hpp"

#include <array>

namespace livetape::bridge::itch {

std::string_view name_of(Error error) noexcept {
  constexpr std::array<std::string_view, kErrorCount> kNames{
      "none",          "truncated",          "overlong",         "unknown_type", "unknown_order",
      "known_order",   "order_out_of_range", "too_many_shares",  "no_shares",    "no_price",
      "unknown_stock", "bad_name",           "time_out_of_range"};
  return kNames.at(static_cast<std::size_t>(error));
}

}  // namespace livetape::bridge::itch
