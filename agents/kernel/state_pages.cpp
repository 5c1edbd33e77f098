#include "state_pages.hpp"

#include <utility>

#include "venue.hpp"

namespace livetape::kernel {
namespace {

constexpr std::size_t kFullBytes = std::size_t{256} << 10;

}  // namespace

Bytes StatePages::add(Series& series, const Bar& bar) {
  Minute& at = minute(bar.start_ns);
  ++at.in_memory;
  write_bar_state(bar_.clear(), bar);
  begin_entry(at, PageEntryKind::bar, series).number(bar.start_ns - at.start_ns).raw(bar_.bytes());
  close_when_full(at);
  return bar_.bytes();
}

void StatePages::forget(std::int64_t time_ns) {
  Minute& at = minute(time_ns);
  if (--at.in_memory == 0) ended_.push_back(at.start_ns);
}

void StatePages::flush() {
  for (const std::int64_t start_ns : std::exchange(ended_, {})) {
    const auto found = minutes_.find(start_ns);
    if (found == minutes_.end() || found->second.in_memory > 0) continue;
    // What came and went since the last flush is never written.
    const std::size_t written = found->second.pages - (found->second.open_page == 0 ? 0 : 1);
    for (std::size_t number = 0; number < written; ++number) out_.page_gone(start_ns, number);
    minutes_.erase(found);
    last_ = nullptr;
  }
  for (const std::int64_t start_ns : std::exchange(open_, {})) {
    const auto found = minutes_.find(start_ns);
    if (found != minutes_.end() && found->second.open_page != 0) close(found->second);
  }
}

void StatePages::restore(std::int64_t minute_ns, std::size_t number, std::int64_t entries) {
  Minute& at = minute(minute_ns);
  at.pages = std::max(at.pages, number + 1);
  at.in_memory += entries;
}

StatePages::Minute& StatePages::minute(std::int64_t time_ns) {
  if (last_ != nullptr && time_ns >= last_->start_ns && time_ns - kLengthNs < last_->start_ns) return *last_;
  const std::int64_t start_ns = floor_to(time_ns, kLengthNs);
  last_ = &minutes_[start_ns];
  last_->start_ns = start_ns;
  return *last_;
}

/// An instrument's names stand in a page where they are needed first; later entries say which of them is meant.
StateText& StatePages::begin_entry(Minute& at, PageEntryKind kind, Series& series) {
  if (at.open_page == 0) {
    at.open_page = ++pages_opened_;
    at.names = 0;
    if (!spare_.empty()) {
      at.text = std::move(spare_.back());
      spare_.pop_back();
    }
    at.text.begin(kValueVersion);
    ++at.pages;
    open_.push_back(at.start_ns);
  }
  if (series.mention.page != at.open_page) {
    series.mention = {at.open_page, at.names++};
    at.text.raw(static_cast<std::uint8_t>(PageEntryKind::name)).text(series.home.name).text(series.instrument);
  }
  return at.text.raw(static_cast<std::uint8_t>(kind)).number(series.mention.place);
}

void StatePages::close_when_full(Minute& at) {
  if (at.text.bytes().size() >= kFullBytes) close(at);
}

void StatePages::close(Minute& at) {
  out_.page(at.start_ns, at.pages - 1, at.text.bytes());
  at.open_page = 0;
  spare_.push_back(std::exchange(at.text, {}));
}

}  // namespace livetape::kernel
