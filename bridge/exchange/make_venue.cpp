#include <string_view>

#include "exchange/venues/binance.hpp"
#include "exchange/venues/binance_usdm.hpp"
#include "exchange/venues/bitstamp.hpp"
#include "exchange/venues/bybit.hpp"
#include "exchange/venues/coinbase.hpp"
#include "exchange/venues/kraken.hpp"
#include "exchange/venues/okx.hpp"

namespace livetape::bridge {
namespace {

using Make = std::unique_ptr<Venue> (*)(const std::vector<std::string>&);

template <typename T>
std::unique_ptr<Venue> make(const std::vector<std::string>& instruments) {
  return std::make_unique<T>(instruments);
}

struct Entry {
  std::string_view name;
  Make make;
};

/// A new venue is a line here and a file beside this one.
constexpr Entry kVenues[] = {
    {"binance", make<Binance>}, {"binance-usdm", make<BinanceUsdm>}, {"bitstamp", make<Bitstamp>},
    {"bybit", make<Bybit>},     {"coinbase", make<Coinbase>},        {"kraken", make<Kraken>},
    {"okx", make<Okx>}};

}  // namespace

std::unique_ptr<Venue> make_venue(std::string_view name, const std::vector<std::string>& instruments) {
  for (const Entry& venue : kVenues) {
    if (venue.name == name) return venue.make(instruments);
  }
  return nullptr;
}

std::unique_ptr<Venue> checked_venue(std::string_view name, const std::vector<std::string>& instruments) {
  auto venue = make_venue(name, instruments);
  if (venue == nullptr) {
    throw std::runtime_error("no client for venue " + std::string(name) + ": known are " + known_venues());
  }
  return venue;
}

std::unique_ptr<Venue> make_venue_of(std::string_view name, std::span<char* const> pairs,
                                     std::vector<std::string>& instruments) {
  std::vector<std::string> symbols;
  for (const std::string_view pair : pairs) {
    const auto equals = pair.find('=');
    instruments.emplace_back(pair.substr(0, equals));
    symbols.emplace_back(equals == std::string_view::npos ? pair : pair.substr(equals + 1));
  }
  auto venue = make_venue(name, instruments);
  for (std::uint32_t i = 0; venue != nullptr && i < symbols.size(); ++i) venue->name(i, {symbols[i], symbols[i]});
  return venue;
}

std::string known_venues() {
  std::string names;
  for (const Entry& venue : kVenues) names.append(names.empty() ? "" : ", ").append(venue.name);
  return names;
}

}  // namespace livetape::bridge
