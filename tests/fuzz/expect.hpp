#pragma once

#include <cstdio>
#include <cstdlib>

namespace livetape::fuzz {

/// Ends the run, and has libFuzzer keep the input.
inline void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace livetape::fuzz
