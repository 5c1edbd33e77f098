#include "exchange/position_file.hpp"

#include <charconv>
#include <fstream>
#include <sstream>
#include <system_error>

#include "core/kept_file.hpp"

namespace livetape::bridge {

PositionFile::PositionFile(const std::filesystem::path& folder, std::string_view venue)
    : file_(kept_file(folder, std::string(venue) + ".positions")) {}

std::vector<InstrumentPosition> PositionFile::read() const {
  std::vector<InstrumentPosition> positions;
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) {
    InstrumentPosition position;
    std::string seq, id;
    std::istringstream words(line);
    if (!(words >> position.instrument >> position.trade.event_time_ns >> seq >> id)) continue;
    position.trade.has_seq = seq != "-";
    const auto [end, error] = std::from_chars(seq.data(), seq.data() + seq.size(), position.trade.seq);
    if (!(words >> position.whole_until_ns)) position.whole_until_ns = position.trade.event_time_ns;  // an older line
    if (position.trade.has_seq && (error != std::errc() || end != seq.data() + seq.size())) continue;
    if (position.trade.id.assign(id)) positions.push_back(std::move(position));
  }
  return positions;
}

bool PositionFile::write(std::string_view lines) const { return replace_file(file_, lines); }

bool PositionFile::add(std::string_view line) const {
  std::ofstream out(file_, std::ios::app);
  out << line << std::flush;
  return out.good();
}

void PositionFile::append(const InstrumentPosition& position, std::string& lines) {
  const Trade& trade = position.trade;
  lines.append(position.instrument).append(" ").append(std::to_string(trade.event_time_ns)).append(" ");
  lines.append(trade.has_seq ? std::to_string(trade.seq) : "-").append(" ").append(trade.id.view()).append(" ");
  lines.append(std::to_string(position.whole_until_ns)).append("\n");
}

}  // namespace livetape::bridge
