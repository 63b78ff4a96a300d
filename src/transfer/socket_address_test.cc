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

TEST(SocketAddress, FindsTheWayToALocalAddress) {
  EXPECT_EQ(LocalAddressTowards("127.0.0.1:1").value(), "127.0.0.1");
}

}  // namespace
}  // namespace tandem::transfer
