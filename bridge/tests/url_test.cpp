#include "exchange/url.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace livetape::bridge {
namespace {

TEST(Url, IsTakenApart) {
  const Url url = parse_url("wss", "wss://stream.example:9443/stream?x=1");
  EXPECT_EQ(url.host, "stream.example");
  EXPECT_EQ(url.http_host, "stream.example");
  EXPECT_EQ(url.port, "9443");
  EXPECT_EQ(url.target, "/stream?x=1");
  EXPECT_EQ(parse_url("https", "https://api.example").port, "443");
  EXPECT_EQ(parse_url("https", "https://api.example").target, "/");
}

TEST(Url, OfAnIPv6AddressHasBracketsInHttpAlone) {
  for (const auto& [text, port] :
       {std::pair("wss://[::1]:9443/stream", "9443"), std::pair("wss://[::1]/stream", "443")}) {
    const Url url = parse_url("wss", text);
    EXPECT_EQ(url.host, "::1");
    EXPECT_EQ(url.http_host, "[::1]");
    EXPECT_EQ(url.port, port);
    EXPECT_EQ(url.target, "/stream");
  }
}

TEST(Url, MayHaveAQueryWithoutAPath) {
  const Url url = parse_url("wss", "wss://stream.example?x=1");
  EXPECT_EQ(url.host, "stream.example");
  EXPECT_EQ(url.target, "/?x=1");
}

TEST(Url, WithoutTlsOrAHostIsRefused) {
  for (const char* url : {"ws://a/", "http://a/", "wss://", "wss:///a", "wss://:443/", "wss://a:/", ""}) {
    EXPECT_THROW((void)parse_url("wss", url), std::invalid_argument) << url;
  }
  EXPECT_THROW((void)parse_url("https", "wss://a/"), std::invalid_argument);
}

TEST(Url, ThatIsNoneIsNamed) {
  for (const std::string url : {"wss://a:https/", "wss://a:0/", "wss://a:65536/", "wss://[::1/", "wss://::1:9443/",
                                "wss://[1.2.3.4]/", "wss://a b/", "wss://user@a/", "wss://a/#here"}) {
    try {
      (void)parse_url("wss", url);
      ADD_FAILURE() << url;
    } catch (const std::invalid_argument& refused) {
      EXPECT_TRUE(std::string_view(refused.what()).ends_with(": " + url)) << refused.what();
    }
  }
}

TEST(Url, WhatIsEncodedIsDecodedToTheSame) {
  for (const std::string text : {"BTC-usd_1.0~", "a/b?c&d=e %+", "\xE5\xB8\x81", ""}) {
    EXPECT_EQ(percent_decoded(percent_encoded(text)), text);
  }
  for (const char* const broken : {"%", "%2", "a%2Gb"}) EXPECT_EQ(percent_decoded(broken), std::nullopt) << broken;
}

TEST(Url, OfATargetEveryByteIsEncodedThatIsNotUnreserved) {
  EXPECT_EQ(percent_encoded("BTC-usd_1.0~"), "BTC-usd_1.0~");
  EXPECT_EQ(percent_encoded("a/b?c&d=e %+"), "a%2Fb%3Fc%26d%3De%20%25%2B");
  EXPECT_EQ(percent_encoded("\xE5\xB8\x81"), "%E5%B8%81");
  EXPECT_EQ(percent_encoded(std::string_view("\0", 1)), "%00");
}

}  // namespace
}  // namespace livetape::bridge
