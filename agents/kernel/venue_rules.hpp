#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace livetape::kernel {

/// What of a bar a trade counts for. Every trade is counted, whatever its conditions say.
struct CountsFor {
  bool open_close = true;
  bool high_low = true;
  bool volume = true;
  friend bool operator==(const CountsFor&, const CountsFor&) = default;
};

/// What the fold must know of a venue; by default it knows nothing, and every trade counts for everything.
struct VenueRules {
  bool has_contiguous_ids = false;  // an instrument's trades are numbered without a hole: what is missing can be told
  std::map<std::string, CountsFor, std::less<>> conditions;  // a trade counts for what all of its conditions allow

  /// What a trade counts for with these conditions: Avro's array of strings, as it came.
  [[nodiscard]] CountsFor counts_for(std::span<const std::uint8_t> conditions_array) const;
  friend bool operator==(const VenueRules&, const VenueRules&) = default;
};

using RulesByVenue = std::map<std::string, VenueRules, std::less<>>;
/// Those under no name are of every venue that is not there.
[[nodiscard]] const VenueRules& rules_of(const RulesByVenue& rules, std::string_view venue);
/// Whether a venue's trades would count otherwise than they did: what it was, and is.
[[nodiscard]] std::optional<std::string> changed_rules(const VenueRules& before, const VenueRules& now);

}  // namespace livetape::kernel
