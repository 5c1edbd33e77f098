#pragma once

#include <iostream>
#include <string>
#include <string_view>

namespace livetape::bridge {

/// Says one line about a part. Several threads write, so a line goes out in one piece.
inline void log(std::string_view part, std::string_view what) {
  std::string line(part);
  line.append(": ").append(what).append("\n");
  std::cerr << line << std::flush;
}

}  // namespace livetape::bridge
