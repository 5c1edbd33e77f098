#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/trade.hpp"

namespace livetape::bridge {

/// Up to which trade an instrument is whole.
struct InstrumentPosition {
  std::string instrument;           // canonical name
  Trade trade;                      // id, order number and event time alone
  std::int64_t whole_until_ns = 0;  // UTC; nothing was missing behind the trade until then
};

/// Keeps on disk how far a venue's instruments are whole, so that the next run knows what it missed. A line an
/// instrument: name, event time in ns, order number or `-`, id, until when it is whole in ns.
class PositionFile {
 public:
  /// `<folder>/<venue>.positions`; the folder is made.
  /// Throws std::runtime_error that names the folder when that cannot be.
  PositionFile(const std::filesystem::path& folder, std::string_view venue);

  /// What the last run left; lines that are none are left out.
  [[nodiscard]] std::vector<InstrumentPosition> read() const;
  /// Replaces the file. False when the disk does not take it.
  [[nodiscard]] bool write(std::string_view lines) const;
  /// Adds a line at its end. False when the disk does not take it.
  [[nodiscard]] bool add(std::string_view line) const;

  static void append(const InstrumentPosition& position, std::string& lines);

 private:
  std::filesystem::path file_;
};

}  // namespace livetape::bridge
