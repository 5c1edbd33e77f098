#include "exchange/binance.hpp"
#include "exchange/kraken.hpp"

namespace livetape::bridge {

std::unique_ptr<Venue> make_venue(std::string_view name, const std::vector<std::string>& instruments) {
  if (name == "binance") return std::make_unique<Binance>(instruments);
  if (name == "kraken") return std::make_unique<Kraken>(instruments);
  return nullptr;
}

}  // namespace livetape::bridge
