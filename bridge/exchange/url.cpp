#include "exchange/url.hpp"

#include <stdexcept>

namespace livetape::bridge {

WebSocketUrl parse_wss_url(std::string_view url) {
  constexpr std::string_view kScheme = "wss://";
  if (!url.starts_with(kScheme))
    throw std::invalid_argument("a venue's address must begin with wss://: " + std::string(url));
  url.remove_prefix(kScheme.size());
  const auto slash = url.find('/');
  const std::string_view authority = url.substr(0, slash);
  const auto colon = authority.rfind(':');
  WebSocketUrl parsed;
  parsed.host = authority.substr(0, colon);
  parsed.port = colon == std::string_view::npos ? "443" : authority.substr(colon + 1);
  parsed.target = slash == std::string_view::npos ? "/" : url.substr(slash);
  if (parsed.host.empty() || parsed.port.empty()) throw std::invalid_argument("a venue's address has no host or port");
  return parsed;
}

}  // namespace livetape::bridge
