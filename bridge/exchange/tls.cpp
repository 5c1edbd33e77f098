#include "exchange/tls.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <sstream>
#include <stdexcept>

namespace livetape::bridge {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kCodes = asio::as_tuple(asio::use_awaitable);  // errors as codes, not as exceptions
constexpr std::chrono::seconds kConnectTimeout{3};            // of one address
constexpr std::chrono::seconds kLongestConnect{20};
constexpr std::chrono::seconds kHandshakeTimeout{10};

/// Has OpenSSL compare the certificate with the host; unlike Asio's own check, it can say afterwards what was wrong.
bool expect_host(SSL* ssl, const std::string& host) {
  error_code is_name;
  asio::ip::make_address(host, is_name);
  if (!is_name) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  return SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && SSL_set1_host(ssl, host.c_str()) == 1;
}

}  // namespace

asio::ssl::context make_tls_context(const std::string& ca_file, const std::string& url) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_verify_mode(asio::ssl::verify_peer);
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                  asio::ssl::context::no_tlsv1_1);
  error_code error;
  if (ca_file.empty()) {
    tls.set_default_verify_paths(error);
  } else {
    tls.load_verify_file(ca_file, error);
  }
  if (error)
    throw std::runtime_error("authorities of " + url + " cannot be read from ca_file " + ca_file + ": " +
                             error.message());
  return tls;
}

asio::awaitable<std::string> connect_to_any(boost::beast::tcp_stream& stream,
                                            std::span<const tcp::endpoint> endpoints) {
  const auto give_up_at = std::chrono::steady_clock::now() + kLongestConnect;
  std::ostringstream reasons;
  for (const tcp::endpoint& endpoint : endpoints) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= give_up_at) break;
    stream.close();  // of the one before, which may be of the other family
    stream.expires_at(std::min(now + kConnectTimeout, give_up_at));
    auto [error] = co_await stream.async_connect(endpoint, kCodes);
    if (!error) co_return std::string();
    reasons << (reasons.tellp() == 0 ? "" : "; ") << endpoint << ": " << error.message();
  }
  co_return "connect: " + reasons.str();
}

std::vector<tcp::endpoint> in_turn(std::vector<tcp::endpoint> endpoints) {
  std::size_t v4 = 0, v6 = 0;
  std::vector<std::pair<std::size_t, tcp::endpoint>> places;
  places.reserve(endpoints.size());
  for (const tcp::endpoint& each : endpoints) places.emplace_back(each.address().is_v6() ? v6++ : v4++, each);
  std::ranges::stable_sort(places, {}, &std::pair<std::size_t, tcp::endpoint>::first);
  std::ranges::transform(places, endpoints.begin(), &std::pair<std::size_t, tcp::endpoint>::second);
  return endpoints;
}

asio::awaitable<std::string> connect_tls(TlsStream& stream, const Url& url) {
  auto& lower = stream.next_layer();
  tcp::resolver resolver(co_await asio::this_coro::executor);
  auto [resolve_error, addresses] = co_await resolver.async_resolve(url.host, url.port, kCodes);
  if (resolve_error) co_return "name look-up: " + resolve_error.message();
  const std::vector<tcp::endpoint> endpoints = in_turn({addresses.begin(), addresses.end()});
  if (std::string reason = co_await connect_to_any(lower, endpoints); !reason.empty()) co_return reason;
  lower.expires_after(kHandshakeTimeout);
  error_code only_slower;
  lower.socket().set_option(tcp::no_delay(true), only_slower);

  SSL* const ssl = stream.native_handle();
  if (!expect_host(ssl, url.host)) co_return "TLS: the host name " + url.host + " cannot be checked";
  auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::client, kCodes);
  if (!error) co_return std::string();
  const long verdict = SSL_get_verify_result(ssl);
  if (verdict == X509_V_OK) co_return "TLS: " + error.message();
  co_return "TLS: the certificate of " + url.host + " is refused: " + X509_verify_cert_error_string(verdict);
}

}  // namespace livetape::bridge
