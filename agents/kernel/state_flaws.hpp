#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "changelog.hpp"
#include "window.hpp"

/// State that is well formed may still be none that a fold has written: then it is refused, since arithmetic and
/// look-ups rely on what these check. Each gives what is wrong, or null.
namespace livetape::kernel {

/// Records have room for names as trades may have them, and for no longer ones.
[[nodiscard]] const char* flaw_of_names(std::string_view venue, std::string_view instrument) noexcept;
[[nodiscard]] const char* flaw_of_venues(const std::vector<std::string>& names) noexcept;
[[nodiscard]] const char* flaw_of(const StateKey& key, const FoldConfig& config) noexcept;
[[nodiscard]] const char* flaw_of(const Bar& bar, const FoldConfig& config) noexcept;
[[nodiscard]] const char* flaw_of(const Progress& progress, const FoldConfig& config) noexcept;
/// Of one stretch of the log.
[[nodiscard]] const char* flaw_of(const std::vector<CarriedOut>& corrections, std::int64_t stretch,
                                  const FoldConfig& config) noexcept;
/// Of one bucket, or one series, all of its chunks together.
[[nodiscard]] const char* flaw_of(const IdRanges& ranges) noexcept;
[[nodiscard]] const char* flaw_of(const std::vector<IdRuns::Run>& runs, std::int64_t time_bound_ns) noexcept;

}  // namespace livetape::kernel
