#include "base/host_port.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(HostPortTest, TellsHostsFromTheirPorts) {
  const auto parsed = [](const char* text) {
    const auto named = ParseHostPort(text);
    return named.ok() ? named->host + " " + std::to_string(named->port) : "wrong";
  };
  EXPECT_EQ(parsed("host"), "host 0");
  EXPECT_EQ(parsed("10.0.0.1:80"), "10.0.0.1 80");
  EXPECT_EQ(parsed("::1"), "::1 0");
  EXPECT_EQ(parsed("[::1]"), "::1 0");
  EXPECT_EQ(parsed("[::1]:80"), "::1 80");
  for (const char* wrong : {"", ":80", "host:", "host:0", "host:65536", "host:8o", "[]:80", ":"}) {
    EXPECT_EQ(parsed(wrong), "wrong") << wrong;
  }
}

TEST(HostPortTest, TakesBracketsAway) {
  EXPECT_EQ(WithoutBrackets("[::1]"), "::1");
  for (const char* as_it_is : {"::1", "host", "[", "]", "[::1", ""}) {
    EXPECT_EQ(WithoutBrackets(as_it_is), as_it_is);
  }
}

TEST(HostPortTest, PutsBracketsAroundIpv6) {
  EXPECT_EQ(FormatHostPort("10.0.0.1", 80), "10.0.0.1:80");
  EXPECT_EQ(FormatHostPort("[::1]", 80), "[::1]:80");
  EXPECT_EQ((HostPort{"::1", 80}.ToString()), "[::1]:80");
}

}  // namespace
}  // namespace tandem
