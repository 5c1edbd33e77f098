#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nic/feed_hearing.hpp"

namespace livetape::bridge::mold {

/// Tells which lines of a feed are silent while another is heard. Nothing is missing then, and what the other one loses
/// will be.
class LineWatch {
 public:
  explicit LineWatch(std::vector<std::string> lines) {
    for (std::string& line : lines) lines_.push_back({std::move(line)});
  }

  void hear(std::size_t line, std::int64_t now_ns) noexcept { lines_[line].heard_ns = now_ns; }

  /// Calls `tell` with a sentence for each line that has become silent beside another, or is heard again.
  template <typename Tell>
  void look(std::int64_t now_ns, const Tell& tell) {
    if (!began_ns_) began_ns_ = now_ns;
    const auto is_silent = [&](const Line& line) {
      return now_ns - std::max(line.heard_ns, *began_ns_) >= FeedHearing::kSilenceNs;
    };
    if (std::ranges::all_of(lines_, is_silent)) return;  // it is the feed that is silent
    for (Line& line : lines_) {
      if (line.is_silent == is_silent(line)) continue;
      line.is_silent = !line.is_silent;
      tell("line " + line.address + (line.is_silent ? " is silent, others are heard" : " is heard again"));
    }
  }

 private:
  struct Line {
    std::string address;
    std::int64_t heard_ns = 0;
    bool is_silent = false;
  };

  std::vector<Line> lines_;
  std::optional<std::int64_t> began_ns_;
};

}  // namespace livetape::bridge::mold
