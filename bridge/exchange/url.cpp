#include "exchange/url.hpp"

#include <stdexcept>

namespace livetape::bridge {

Url parse_url(std::string_view scheme, std::string_view url) {
  const std::string start = std::string(scheme) + "://";
  if (!url.starts_with(start))
    throw std::invalid_argument("a venue's address must begin with " + start + ": " + std::string(url));
  url.remove_prefix(start.size());
  const auto slash = url.find('/');
  const std::string_view authority = url.substr(0, slash);
  const auto colon = authority.rfind(':');
  Url parsed;
  parsed.host = authority.substr(0, colon);
  parsed.port = colon == std::string_view::npos ? "443" : authority.substr(colon + 1);
  parsed.target = slash == std::string_view::npos ? "/" : url.substr(slash);
  if (parsed.host.empty() || parsed.port.empty()) throw std::invalid_argument("a venue's address has no host or port");
  return parsed;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string encoded;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded.append({'%', kDigits[byte / 16], kDigits[byte % 16]});
  }
  return encoded;
}

}  // namespace livetape::bridge
