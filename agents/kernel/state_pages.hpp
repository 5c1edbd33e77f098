#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "changelog.hpp"

namespace livetape::kernel {

/// Pages of the changelog: what is final is written once, all of one minute of event time and one flush as one record.
/// When nothing of a minute is in memory any more, its pages go. A record a bar, and another for its end, would be
/// three quarters of what a busy fold writes.
class StatePages {
 public:
  static constexpr std::int64_t kLengthNs = 60'000'000'000;

  explicit StatePages(ChangelogWriter& out) : out_(out) {}

  /// Writes a base bar that is final and that the changelog does not have. Gives its bytes, until the next call.
  Bytes add(Series& series, const Bar& bar);
  /// Hears that something that is in the pages of its minute has left memory.
  void forget(std::int64_t time_ns);
  /// Gives all that was added to the changelog, and the ends of pages that nobody needs.
  void flush();

  /// Says that the changelog has this page, and how much of it is in memory.
  void restore(std::int64_t minute_ns, std::size_t number, std::int64_t entries);

 private:
  struct Minute {
    std::int64_t start_ns = 0;
    std::int64_t in_memory = 0;  // of what its pages have
    std::size_t pages = 0;       // how many the changelog has, or will have once the last one is closed
    std::uint64_t open_page = 0;
    std::int64_t names = 0;  // in the open page
    StateText text;          // of the open page
  };

  Minute& minute(std::int64_t time_ns);
  StateText& begin_entry(Minute& at, PageEntryKind kind, Series& series);
  void close_when_full(Minute& at);
  void close(Minute& at);

  ChangelogWriter& out_;
  std::map<std::int64_t, Minute> minutes_;
  Minute* last_ = nullptr;
  std::uint64_t pages_opened_ = 0;
  StateText bar_;
  std::vector<StateText> spare_;     // texts of closed pages, whose memory is used again
  std::vector<std::int64_t> open_;   // minutes that have an open page
  std::vector<std::int64_t> ended_;  // minutes of which nothing was in memory at some time since the last flush
};

}  // namespace livetape::kernel
