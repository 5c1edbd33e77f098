#include "venue_rules.hpp"

#include "byte_reader.hpp"

namespace livetape::kernel {
namespace {

std::string told(const CountsFor& parts) {
  std::string names;
  const auto add = [&](bool is_in, const char* name) {
    if (is_in) names.append(names.empty() ? "" : ", ").append(name);
  };
  add(parts.open_close, "open_close");
  add(parts.high_low, "high_low");
  add(parts.volume, "volume");
  return '[' + names + ']';
}

/// As venues.yaml has it.
std::string told(const std::map<std::string, CountsFor, std::less<>>& conditions) {
  std::string text;
  for (const auto& [code, parts] : conditions) text += (text.empty() ? "" : ", ") + code + ": " + told(parts);
  return '{' + text + '}';
}

const char* told(bool has_contiguous_ids) { return has_contiguous_ids ? "contiguous" : "unknown"; }

}  // namespace

CountsFor VenueRules::counts_for(std::span<const std::uint8_t> conditions_array) const {
  CountsFor all;
  if (conditions.empty()) return all;
  ByteReader in(conditions_array);
  for (std::int64_t count = in.varlong(); count != 0 && in.ok(); count = in.varlong()) {
    if (count < 0) {
      count = -count;
      in.varlong();
    }
    for (; count > 0 && in.ok(); --count) {
      const auto found = conditions.find(in.prefixed_text());
      if (found == conditions.end()) continue;
      all.open_close &= found->second.open_close;
      all.high_low &= found->second.high_low;
      all.volume &= found->second.volume;
    }
  }
  return all;
}

const VenueRules& rules_of(const RulesByVenue& rules, std::string_view venue) {
  const auto found = rules.find(venue);
  return found == rules.end() ? rules.at("") : found->second;
}

std::optional<std::string> changed_rules(const VenueRules& before, const VenueRules& now) {
  if (before.has_contiguous_ids != now.has_contiguous_ids) {
    return std::string("trade_ids ") + told(before.has_contiguous_ids) + ", and now " + told(now.has_contiguous_ids);
  }
  if (before.conditions == now.conditions) return std::nullopt;
  return "conditions " + told(before.conditions) + ", and now " + told(now.conditions);
}

}  // namespace livetape::kernel
