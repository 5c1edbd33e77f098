#include "exchange/url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/url_view.hpp>
#include <stdexcept>

namespace livetape::bridge {
namespace {

[[noreturn]] void refuse(std::string_view url, const std::string& why) {
  throw std::invalid_argument("a venue's address " + why + ": " + std::string(url));
}

}  // namespace

Url parse_url(std::string_view scheme, std::string_view url) {
  const std::string start = std::string(scheme) + "://";
  if (!url.starts_with(start)) refuse(url, "must begin with " + start);
  const auto parsed = boost::urls::parse_uri({url.data(), url.size()});
  if (!parsed) refuse(url, "is no address");
  if (parsed->has_userinfo() || parsed->has_fragment()) refuse(url, "may have neither a user nor a fragment");
  const bool is_port = !parsed->has_port() || parsed->port_number() != 0;  // which is 0 of a number beyond 65535
  if (parsed->host().empty() || !is_port) refuse(url, "has no host or port");
  return {.host = parsed->host_address(),
          .http_host = std::string(parsed->encoded_host()),
          .port = parsed->has_port() ? std::string(parsed->port()) : "443",
          .target = (parsed->encoded_path().empty() ? "/" : "") + std::string(parsed->encoded_resource())};
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

std::optional<std::string> percent_decoded(std::string_view text) {
  const auto encoded = boost::urls::make_pct_string_view({text.data(), text.size()});
  return encoded ? std::optional(encoded->decode()) : std::nullopt;
}

}  // namespace livetape::bridge
