#include "exchange/url.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace livetape::bridge {
namespace {

TEST(Url, IsTakenApart) {
  const Url url = parse_url("wss", "wss://stream.example:9443/stream?x=1");
  EXPECT_EQ(url.host, "stream.example");
  EXPECT_EQ(url.port, "9443");
  EXPECT_EQ(url.target, "/stream?x=1");
  EXPECT_EQ(parse_url("https", "https://api.example").port, "443");
  EXPECT_EQ(parse_url("https", "https://api.example").target, "/");
}

TEST(Url, WithoutTlsOrAHostIsRefused) {
  for (const char* url : {"ws://a/", "http://a/", "wss://", "wss://a:/", ""}) {
    EXPECT_THROW((void)parse_url("wss", url), std::invalid_argument) << url;
  }
  EXPECT_THROW((void)parse_url("https", "wss://a/"), std::invalid_argument);
}

TEST(Url, OfATargetEveryByteIsEncodedThatIsNotUnreserved) {
  EXPECT_EQ(percent_encoded("BTC-usd_1.0~"), "BTC-usd_1.0~");
  EXPECT_EQ(percent_encoded("a/b?c&d=e %+"), "a%2Fb%3Fc%26d%3De%20%25%2B");
  EXPECT_EQ(percent_encoded("\xE5\xB8\x81"), "%E5%B8%81");
  EXPECT_EQ(percent_encoded(std::string_view("\0", 1)), "%00");
}

}  // namespace
}  // namespace livetape::bridge
