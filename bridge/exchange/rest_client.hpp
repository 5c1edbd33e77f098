#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "exchange/rest_limits.hpp"
#include "exchange/url.hpp"

namespace livetape::bridge {

/// What came of a request.
struct RestAnswer {
  std::string body{};                 // with room for simdjson's padding behind it; also of one with status 400 or 404,
                                      // and of a refusal
  std::string error{};                // why there is none; empty when there is one
  std::chrono::milliseconds wait{0};  // how long the venue wants to be left alone
};

/// Why a body with padding behind it is no answer; nothing when it is one.
using RefusalOf = std::function<std::optional<Refusal>(std::string_view body)>;

/// Asks a venue's REST API over TLS with the certificate checked, one request at a time however many want to ask, never
/// faster than the venue allows. Whoever asks while the venue wants to be left alone has an error at once: that may
/// last for days. An answer is bounded in size and time. It knows no venue's name. For one thread.
class RestClient {
 public:
  /// Whose request goes when several wait: those who go first, and of these who has waited longest.
  enum class Turn : std::uint8_t { first, last };

  /// Throws std::runtime_error for an address or a file that is of no use.
  RestClient(const std::string& url, const std::string& ca_file, std::chrono::milliseconds pace, RefusalOf refusal_of);

  /// How long an answer may be that does not list a whole market: pages of history have a tenth of it.
  static constexpr std::size_t kMaxAnswerBytes = std::size_t{4} << 20;
  /// How long one may be that does: a venue has thousands of instruments, and some say much of each.
  static constexpr std::size_t kMaxListBytes = std::size_t{32} << 20;

  [[nodiscard]] boost::asio::awaitable<RestAnswer> get(std::string target, Turn turn = Turn::first,
                                                       std::size_t most_bytes = kMaxAnswerBytes);

  /// How long the venue wants to be left alone from now on; 0 when it may be asked.
  [[nodiscard]] std::chrono::milliseconds left_alone() const;

 private:
  using Clock = std::chrono::steady_clock;

  /// Who waits for a turn.
  struct Waiting {
    Turn turn;
    boost::asio::steady_timer timer;
  };
  class Place;

  [[nodiscard]] bool may_ask(std::list<Waiting>::const_iterator own) const;
  boost::asio::awaitable<bool> wait_for_turn(Turn turn);
  boost::asio::awaitable<RestAnswer> exchange(const std::string& target, std::size_t most_bytes);
  [[nodiscard]] RestAnswer judge(std::string body) const;

  Url url_;
  boost::asio::ssl::context tls_;
  std::chrono::milliseconds pace_;
  RefusalOf refusal_of_;
  Clock::time_point next_;
  Clock::time_point left_alone_until_;
  bool is_asking_ = false;
  std::list<Waiting> waiting_;
};

}  // namespace livetape::bridge
