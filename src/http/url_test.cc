#include "http/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::http {
namespace {

using ::testing::HasSubstr;

TEST(UrlTest, ReadsItsParts) {
  const auto url = ParseUrl("http://10.0.0.1:8080/metadata?key=a#fragment");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->host, "10.0.0.1");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->target, "/metadata?key=a");
  EXPECT_EQ(url->Authority(), "10.0.0.1:8080");
}

TEST(UrlTest, PortAndPathHaveDefaults) {
  const auto url = ParseUrl("http://localhost");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->port, 80);
  EXPECT_EQ(url->target, "/");
  EXPECT_EQ(ParseUrl("http://localhost?a=1")->target, "/?a=1");
}

TEST(UrlTest, TellsHttpsFromHttp) {
  EXPECT_EQ(ParseUrl("http://a")->Server(), "http://a:80");
  EXPECT_EQ(ParseUrl("https://a")->Server(), "https://a:443");
  EXPECT_EQ(ParseUrl("https://a:8443/x")->Server(), "https://a:8443");
}

TEST(UrlTest, ReadsIpv6) {
  const auto url = ParseUrl("http://[::1]:81/");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 81);
  EXPECT_EQ(url->Authority(), "[::1]:81");
}

TEST(UrlTest, ErrorsNameTheAddress) {
  for (const char* bad :
       {"", "https:/a", "ftp://a", "http://", "http://:80", "http://a:", "http://a:0",
        "http://a:65536", "http://a:8x", "http://[::1", "http://[::1]x", "http://u@a",
        "http://[[a]", "http://a]", "http://a/b c", "http://a/\r\nX: y"}) {
    const auto url = ParseUrl(bad);
    ASSERT_FALSE(url.ok()) << bad;
    EXPECT_EQ(url.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(url.status().message()), HasSubstr(bad));
  }
}

TEST(PercentTest, DecodesOnlyWholeEscapes) {
  EXPECT_EQ(DecodePercent("a%2Fb%20"), "a/b ");
  EXPECT_EQ(DecodePercent("%"), std::nullopt);
  EXPECT_EQ(DecodePercent("%4"), std::nullopt);
  EXPECT_EQ(DecodePercent("%4g"), std::nullopt);
}

TEST(PercentTest, EncodedTextDecodesToItself) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(DecodePercent(EncodePercent(all)), all);
  EXPECT_EQ(DecodeQueryPart(EncodePercent(all)), all);
}

}  // namespace
}  // namespace tandem::http
