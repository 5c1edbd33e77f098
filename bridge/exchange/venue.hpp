#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/trade.hpp"
#include "exchange/decode_error.hpp"

namespace livetape::bridge {

/// What a frame turned out to be.
enum class FrameKind : std::uint8_t {
  trades,
  ignored,     // of a known kind that holds no trade: an acknowledgement, a heartbeat, another channel
  subscribed,  // the venue took a subscription
  refused,     // the venue refused a subscription; `reason` says which and why
  error,
};

struct FrameResult {
  FrameKind kind = FrameKind::ignored;
  DecodeError error = DecodeError::none;
  std::string reason{};

  static FrameResult failed(DecodeError error) { return {FrameKind::error, error, {}}; }
};

/// A text message that a venue wants to hear again and again.
struct KeepAlive {
  std::chrono::milliseconds every;
  std::string message;
};

/// What is particular to one venue. The generic session knows no more of it.
class Venue {
 public:
  Venue() = default;
  virtual ~Venue() = default;
  Venue(const Venue&) = delete;
  Venue& operator=(const Venue&) = delete;

  /// Messages that subscribe to all instruments, in chunks and at a pace within the venue's limits.
  [[nodiscard]] virtual std::vector<std::string> subscribe_messages() const = 0;
  [[nodiscard]] virtual std::chrono::milliseconds subscribe_pace() const = 0;
  [[nodiscard]] virtual std::optional<KeepAlive> keep_alive() const { return std::nullopt; }

  /// Decodes one frame; its trades go to `out`, which is cleared first. After an error, `out` has the
  /// trades of the frame that are good all the same. There must be room for simdjson's padding behind the frame.
  virtual FrameResult decode(std::string_view frame, std::int64_t receive_time_ns, std::vector<Trade>& out) = 0;
};

/// The client of a venue by its name; null for a name that has none. `instruments` are canonical names (BTC-USDT) and
/// give trades their index.
[[nodiscard]] std::unique_ptr<Venue> make_venue(std::string_view name, const std::vector<std::string>& instruments);

}  // namespace livetape::bridge
