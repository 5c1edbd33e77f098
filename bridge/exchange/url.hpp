#pragma once

#include <string>
#include <string_view>

namespace livetape::bridge {

/// A wss:// address, taken apart.
struct WebSocketUrl {
  std::string host;
  std::string port;
  std::string target;  // path and query
};

/// Throws std::invalid_argument for anything but wss://HOST[:PORT][/PATH]: trades are never read without TLS.
[[nodiscard]] WebSocketUrl parse_wss_url(std::string_view url);

}  // namespace livetape::bridge
