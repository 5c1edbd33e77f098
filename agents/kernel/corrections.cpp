#include "corrections.hpp"

namespace livetape::kernel {

bool Corrections::contains(std::int64_t offset) const noexcept {
  return std::ranges::binary_search(all_, offset, {}, &CarriedOut::offset);
}

void Corrections::append(const CarriedOut& correction) {
  all_.push_back(correction);
  touch(stretch_of(correction.offset));
}

void Corrections::keep(std::int64_t offset, std::int64_t event_time_ns) {
  const auto found = std::ranges::lower_bound(all_, offset, {}, &CarriedOut::offset);
  if (found == all_.end() || found->offset != offset || found->newest_ns >= event_time_ns) return;
  found->newest_ns = event_time_ns;
  touch(stretch_of(offset));
}

bool Corrections::restore(std::int64_t stretch, const std::vector<CarriedOut>& part) {
  if (!part.empty() && !all_.empty() && part.front().offset <= all_.back().offset) return false;
  all_.insert(all_.end(), part.begin(), part.end());
  if (stretch != kWholeLog) return true;
  touch(kWholeLog);  // no correction is of it, so that it ends
  for (const CarriedOut& correction : part) touch(stretch_of(correction.offset));
  return true;
}

std::span<const CarriedOut> Corrections::in_stretch(std::int64_t stretch) const noexcept {
  const auto is_before = [](const CarriedOut& each, std::int64_t number) { return stretch_of(each.offset) < number; };
  const auto from = std::lower_bound(all_.begin(), all_.end(), stretch, is_before);
  return {from, std::lower_bound(from, all_.end(), stretch + 1, is_before)};
}

}  // namespace livetape::kernel
