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

}  // namespace
}  // namespace livetape::bridge
