#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace livetape::bridge {

/// An address, taken apart.
struct Url {
  std::string host;       // a name, or an address without brackets
  std::string http_host;  // the same as HTTP tells it: an address of IPv6 in brackets
  std::string port;
  std::string target;  // path and query
};

/// Throws std::invalid_argument that names the address for anything but SCHEME://HOST[:PORT][/PATH][?QUERY] of RFC 3986
/// with the scheme that is wanted, `wss` or `https`: nothing is ever read without TLS.
[[nodiscard]] Url parse_url(std::string_view scheme, std::string_view url);

/// A text as a part of a target: whatever byte RFC 3986 does not call unreserved is told by its number.
[[nodiscard]] std::string percent_encoded(std::string_view text);

/// What was encoded so; nothing of a text with a % that is no byte's number.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace livetape::bridge
