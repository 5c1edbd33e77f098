#pragma once

#include <functional>

#include "core/trade.hpp"

namespace livetape::bridge {

/// A source that a publisher's own thread reads, so that no message waits for another thread to be woken.
class PolledSource {
 public:
  using Publish = std::function<void(const Message& message)>;

  PolledSource() = default;
  virtual ~PolledSource() = default;
  PolledSource(const PolledSource&) = delete;
  PolledSource& operator=(const PolledSource&) = delete;

  /// Where each message goes, from within `poll`.
  virtual void publish_by(Publish publish) = 0;
  /// Reads what has come and never waits; false when that was nothing.
  virtual bool poll() = 0;
};

}  // namespace livetape::bridge
