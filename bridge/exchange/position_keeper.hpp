#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/message_source.hpp"
#include "core/metrics.hpp"
#include "exchange/position_file.hpp"
#include "exchange/tape.hpp"

namespace livetape::bridge {

/// Takes a venue's instruments up where the last run left them, and keeps how far they are whole for the next one.
class PositionKeeper {
 public:
  /// Throws std::runtime_error that names the folder when nothing can be kept there.
  /// `ring` takes what is read to where it no longer ends with this process.
  PositionKeeper(const std::filesystem::path& folder, const VenueConfig& config, std::vector<Tape>& tapes,
                 const MessageRing& ring, VenueMetrics& metrics);

  /// What was traded since the last run is missing from now on, and in doubt until it is subscribed to. What can only
  /// be had by ids, and that of days, is not looked for.
  void resume();
  /// The trades that are not looked for, once it is known where this run begins.
  [[nodiscard]] std::optional<Gap> unread(std::uint32_t instrument);
  /// Keeps at once that an instrument without a trade is shown since then, in UTC nanoseconds.
  void begin(std::uint32_t instrument, std::int64_t since_ns);
  /// Keeps at once that an instrument begins with this trade, which is not yet published: a run that ends before the
  /// next `keep` would leave nothing to go on from.
  void begin(const Trade& first);
  /// Keeps the positions of a while ago as soon as all that was read until then is settled: a run that ends early
  /// leaves little to be read a second time.
  void keep(std::int64_t steady_ns);

 private:
  void write();
  void gather();
  void keep_beginning(std::uint32_t instrument, const Trade& before);

  const VenueConfig& config_;
  std::vector<Tape>& tapes_;
  VenueMetrics& metrics_;
  PositionFile file_;
  const MessageRing& ring_;
  std::vector<std::optional<InstrumentPosition>> left_;  // by instrument; where the last run ended, too long ago
  std::optional<std::string> lines_;                     // gathered and not yet written
  std::size_t lines_until_ = 0;                          // how many messages had been put into the ring by then
  std::int64_t gather_at_ns_ = 0;
};

}  // namespace livetape::bridge
