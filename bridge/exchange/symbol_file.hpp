#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "exchange/venue.hpp"

namespace livetape::bridge {

/// Keeps on disk how a venue calls its instruments, so that the next run can read its stream though its list cannot be
/// read. A line an instrument: name, symbol in the stream and symbol in requests, both percent-encoded.
class SymbolFile {
 public:
  /// `<folder>/<venue>.symbols`; the folder is made. `instruments` are the venue's, by their canonical names.
  /// Throws std::runtime_error that names the folder when that cannot be.
  SymbolFile(const std::filesystem::path& folder, std::string_view venue, std::vector<std::string> instruments);

  /// Names those instruments that the last run knew; false when it knew none.
  [[nodiscard]] bool name(Venue& venue) const;
  /// Replaces the file by what the venue lists. False when the disk does not take it.
  [[nodiscard]] bool keep(const Venue& venue) const;

 private:
  std::filesystem::path file_;
  std::vector<std::string> instruments_;
};

}  // namespace livetape::bridge
