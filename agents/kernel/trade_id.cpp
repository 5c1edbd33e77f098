#include "trade_id.hpp"

#include <charconv>
#include <system_error>

namespace livetape::kernel {
TradeIdView TradeIdView::parse(std::string_view id) noexcept {
  TradeIdView parsed;
  if (detail::is_canonical(id)) {
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), parsed.number);
    if (error == std::errc{} && end == id.data() + id.size()) return parsed;
  }
  return {-1, id};
}

}  // namespace livetape::kernel
