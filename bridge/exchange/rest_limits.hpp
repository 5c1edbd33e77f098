#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

/// What it means when a venue wants to be left alone.
namespace livetape::bridge {

/// How long an answer's status asks us to leave a venue alone.
struct RestLimit {
  unsigned status;
  std::chrono::seconds unsaid;   // where Retry-After does not say until when
  std::chrono::seconds longest;  // whatever it says
};

/// Who goes on asking is barred for longer.
inline constexpr RestLimit kRestLimits[] = {
    {429, std::chrono::seconds(10), std::chrono::minutes(5)},
    {418, std::chrono::minutes(2), std::chrono::days(3)},   // Binance's word for a client that asked on after 429
    {403, std::chrono::minutes(10), std::chrono::days(3)},  // Bybit's, and what firewalls in front of others answer
    {503, std::chrono::seconds(0), std::chrono::minutes(5)},
};

/// How long a venue wants to be left alone, by an answer's status and its Retry-After; 0 where it does not.
[[nodiscard]] inline std::chrono::seconds wait_of(unsigned status, std::string_view retry_after) noexcept {
  const auto* const limit = std::ranges::find(kRestLimits, status, &RestLimit::status);
  if (limit == std::end(kRestLimits)) return std::chrono::seconds(0);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
  if (error != std::errc() || seconds <= 0) return limit->unsaid;
  return std::min(std::chrono::seconds(seconds), limit->longest);
}

/// The same of one that answers so to a WebSocket's handshake. Of a 403 nobody knows whether it is a ban: no trade
/// comes until another attempt.
[[nodiscard]] inline std::chrono::seconds handshake_wait_of(unsigned status, std::string_view retry_after) noexcept {
  constexpr std::chrono::minutes kLongestForbidden{1};
  const auto wait = wait_of(status, retry_after);
  return status == 403 ? std::min<std::chrono::seconds>(wait, kLongestForbidden) : wait;
}

/// What a venue says, in its own words, that does not answer though HTTP calls it a success.
struct Refusal {
  std::string reason;
  bool is_of_all = false;  // not for the sake of what was asked: too much was, or nothing is answered now
};

/// How long a venue is left alone that refuses so: it says no more than one that answers 429 without a Retry-After.
[[nodiscard]] inline std::chrono::seconds wait_of(const Refusal& refusal) noexcept {
  return refusal.is_of_all ? wait_of(429, {}) : std::chrono::seconds(0);
}

/// How long trades are looked for in a history that gives none: bars take no trade that is much older.
inline constexpr std::chrono::minutes kGiveUpAfter{10};

/// When to see to missing trades again that have been looked for so long, while the venue wants to be left alone for
/// `wait` more; nothing when they are to be given up. A wait that ends about when they would be is waited for: they are
/// asked for once more.
[[nodiscard]] constexpr std::optional<std::chrono::milliseconds> look_again(std::chrono::milliseconds wait,
                                                                            std::chrono::nanoseconds looked_for) {
  constexpr std::chrono::minutes kAbout{1};
  const auto left =
      std::max(std::chrono::ceil<std::chrono::milliseconds>(kGiveUpAfter - looked_for), std::chrono::milliseconds(0));
  if (wait <= left + kAbout) return wait;
  return left > std::chrono::milliseconds(0) ? std::optional(left) : std::nullopt;
}

}  // namespace livetape::bridge
