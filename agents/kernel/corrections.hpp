#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "log_stretch.hpp"

/// Which corrections of an instrument were carried out, kept for as long as one of their bars may change.
namespace livetape::kernel {

/// A correction that was carried out: when the log is read again it counts, and one that was refused does not.
struct CarriedOut {
  std::int64_t offset;
  std::int64_t newest_ns;  // of the times that it moved a trade from and to
};

/// All of one instrument. The changelog has those of each stretch of the log in a record.
class Corrections {
 public:
  /// In place of a stretch's number: all corrections, which releases before had in one record.
  static constexpr std::int64_t kWholeLog = -1;

  [[nodiscard]] const std::vector<CarriedOut>& all() const noexcept { return all_; }
  [[nodiscard]] bool contains(std::int64_t offset) const noexcept;
  /// Adds one behind those that are there.
  void append(const CarriedOut& correction);
  /// Has it that the correction of this offset moved a trade to this time as well, where there is one.
  void keep(std::int64_t offset, std::int64_t event_time_ns);
  template <typename Predicate>
  void erase_if(Predicate is_old) {
    std::erase_if(all_, [&](const CarriedOut& correction) {
      if (!is_old(correction)) return false;
      touch(stretch_of(correction.offset));
      return true;
    });
  }

  /// Whether some stretch may differ from the changelog.
  [[nodiscard]] bool is_changed() const noexcept { return !changed_.empty(); }
  /// Calls `visit` with the number of each such stretch and its corrections; from then on none differs.
  template <typename Visit>
  void take_changed(Visit visit) {
    std::ranges::sort(changed_);
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    for (const std::int64_t stretch : std::exchange(changed_, {})) visit(stretch, in_stretch(stretch));
  }
  /// Adds those of a stretch as the changelog has them; stretches come in their order. False, with nothing done, where
  /// they are not behind those that are there.
  [[nodiscard]] bool restore(std::int64_t stretch, const std::vector<CarriedOut>& part);

 private:
  [[nodiscard]] std::span<const CarriedOut> in_stretch(std::int64_t stretch) const noexcept;
  void touch(std::int64_t stretch) {
    if (changed_.empty() || changed_.back() != stretch) changed_.push_back(stretch);
  }

  std::vector<CarriedOut> all_;        // by offset
  std::vector<std::int64_t> changed_;  // stretches, each once or more
};

}  // namespace livetape::kernel
