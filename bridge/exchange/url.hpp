#pragma once

#include <string>
#include <string_view>

namespace livetape::bridge {

/// An address, taken apart.
struct Url {
  std::string host;
  std::string port;
  std::string target;  // path and query
};

/// Throws std::invalid_argument for anything but SCHEME://HOST[:PORT][/PATH] with the scheme that is wanted, `wss` or
/// `https`: nothing is ever read without TLS.
[[nodiscard]] Url parse_url(std::string_view scheme, std::string_view url);

}  // namespace livetape::bridge
