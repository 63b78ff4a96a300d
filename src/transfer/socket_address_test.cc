#include "transfer/socket_address.h"

#include <gtest/gtest.h>

namespace tandem::transfer {
namespace {

TEST(SocketAddress, ResolvesEndpoints) {
  EXPECT_EQ(ResolveEndpoint("127.0.0.1:50051")->port(), 50051);
  EXPECT_EQ(ResolveEndpoint("[::1]:80")->port(), 80);
  for (const char* wrong : {"127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ResolveEndpoint(wrong).status())) << wrong;
  }
}

TEST(SocketAddress, TellsHostsFromTheirPorts) {
  const auto split = [](const char* text) {
    const auto named = SplitHostAndPort(text);
    return named.ok() ? named->host + " " + std::to_string(named->port) : "wrong";
  };
  EXPECT_EQ(split("host"), "host 0");
  EXPECT_EQ(split("10.0.0.1:80"), "10.0.0.1 80");
  EXPECT_EQ(split("::1"), "::1 0");
  EXPECT_EQ(split("[::1]"), "::1 0");
  EXPECT_EQ(split("[::1]:80"), "::1 80");
  for (const char* wrong : {"", ":80", "host:", "host:0", "host:65536", "host:8o", "[]:80", ":"}) {
    EXPECT_EQ(split(wrong), "wrong") << wrong;
  }
}

TEST(SocketAddress, FormatsEndpoints) {
  EXPECT_EQ(FormatEndpoint("10.0.0.1", 80), "10.0.0.1:80");
  EXPECT_EQ(FormatEndpoint("::1", 80), "[::1]:80");
}

TEST(SocketAddress, FindsTheWayToALocalAddress) {
  EXPECT_EQ(LocalAddressTowards("127.0.0.1:1").value(), "127.0.0.1");
}

}  // namespace
}  // namespace tandem::transfer
