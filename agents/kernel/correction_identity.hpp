#pragma once

#include <string>

#include "decoded.hpp"

namespace livetape::kernel {

/// What a correction or a cancellation says, and when it was received, as bytes: two of an instrument that are the same
/// are one that was delivered twice, as a venue that corrects back to what it said before is heard at another time.
/// They begin with a byte that no trade's id has.
[[nodiscard]] std::string identity_of(const Decoded& correction);

}  // namespace livetape::kernel
