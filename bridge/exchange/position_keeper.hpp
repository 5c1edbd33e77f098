#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/metrics.hpp"
#include "exchange/position_file.hpp"
#include "exchange/tape.hpp"

namespace livetape::bridge {

/// Takes a venue's instruments up where the last run left them, and keeps how far they are whole for the next one.
class PositionKeeper {
 public:
  /// Throws std::runtime_error that names the folder when nothing can be kept there.
  PositionKeeper(const std::filesystem::path& folder, const VenueConfig& config, std::vector<Tape>& tapes,
                 VenueMetrics& metrics);

  /// What was traded since the last run is missing from now on.
  void resume();
  /// Keeps the positions of a while ago: what was read since then may not have left this process.
  void keep(std::int64_t steady_ns);

 private:
  const VenueConfig& config_;
  std::vector<Tape>& tapes_;
  VenueMetrics& metrics_;
  PositionFile file_;
  std::string lines_;  // as they were when they were last kept
  std::int64_t keep_at_ns_ = 0;
};

}  // namespace livetape::bridge
