#pragma once

#include <stdexcept>

namespace livetape::kernel {

/// The changelog cannot be restored: it is of another version or configuration, or its state has no progress record.
class CorruptState : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace livetape::kernel
