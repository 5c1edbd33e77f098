#include "exchange/symbol_file.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <utility>

#include "core/kept_file.hpp"
#include "exchange/url.hpp"

namespace livetape::bridge {

SymbolFile::SymbolFile(const std::filesystem::path& folder, std::string_view venue,
                       std::vector<std::string> instruments)
    : file_(kept_file(folder, std::string(venue) + ".symbols")), instruments_(std::move(instruments)) {}

bool SymbolFile::name(Venue& venue) const {
  bool has_any = false;
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) {
    std::string name, stream, rest;
    std::istringstream words(line);
    if (!(words >> name >> stream >> rest)) continue;
    const auto known = std::ranges::find(instruments_, name);
    const auto in_stream = percent_decoded(stream), in_requests = percent_decoded(rest);
    if (known == instruments_.end() || !in_stream || !in_requests) continue;
    const auto instrument = static_cast<std::uint32_t>(known - instruments_.begin());
    if (venue.is_listed(instrument)) continue;
    venue.name(instrument, {*in_stream, *in_requests});
    has_any = true;
  }
  return has_any;
}

bool SymbolFile::keep(const Venue& venue) const {
  std::string lines;
  for (std::uint32_t i = 0; i < instruments_.size(); ++i) {
    if (!venue.is_listed(i)) continue;
    const VenueSymbol& symbol = venue.symbol(i);
    lines.append(instruments_[i]).append(" ").append(percent_encoded(symbol.stream)).append(" ");
    lines.append(symbol.rest).append("\n");
  }
  return replace_file(file_, lines);
}

}  // namespace livetape::bridge
