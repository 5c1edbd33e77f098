#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "core/session_day.hpp"
#include "nic/moldudp64.hpp"

namespace livetape::bridge {

/// Keeps on disk which day a feed's session is of: the next run may read it from its first message on, on another day.
/// The session's name of ten bytes, a message's time since midnight and midnight, both in ns.
class SessionFile {
 public:
  /// `<folder>/<venue>.session`; the folder is made.
  /// Throws std::runtime_error that names the folder when that cannot be.
  SessionFile(const std::filesystem::path& folder, std::string_view venue);

  /// What was kept of a session of this name; nothing where that was of another, or cannot be read.
  [[nodiscard]] std::optional<SessionDay> day_of(const mold::Session& session) const;
  /// Replaces the file. False when the disk does not take it.
  [[nodiscard]] bool keep(const mold::Session& session, const SessionDay& day) const;

 private:
  std::filesystem::path file_;
};

}  // namespace livetape::bridge
