#include "nic/session_file.hpp"

#include <fstream>
#include <string>

#include "core/kept_file.hpp"

namespace livetape::bridge {

SessionFile::SessionFile(const std::filesystem::path& folder, std::string_view venue)
    : file_(kept_file(folder, std::string(venue) + ".session")) {}

std::optional<SessionDay> SessionFile::day_of(const mold::Session& session) const {
  std::ifstream in(file_);
  mold::Session name{};
  SessionDay day;
  in.read(name.data(), name.size()) >> day.since_midnight_ns >> day.midnight_ns;
  if (!in || name != session) return std::nullopt;
  return day;
}

bool SessionFile::keep(const mold::Session& session, const SessionDay& day) const {
  std::string text(session.data(), session.size());
  text.append(" ").append(std::to_string(day.since_midnight_ns));
  text.append(" ").append(std::to_string(day.midnight_ns)).append("\n");
  return replace_file(file_, text);
}

}  // namespace livetape::bridge
