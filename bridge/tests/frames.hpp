#pragma once

#include <simdjson.h>

#include <string>

/// A frame with room behind it, as the session hands frames over.
inline std::string frame(std::string text) {
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  return text;
}
