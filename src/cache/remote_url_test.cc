#include "cache/remote_url.h"

#include <gtest/gtest.h>

namespace tandem::cache {
namespace {

TEST(RemoteUrlTest, ParsesTheGuidesForm) {
  const auto url = ParseRemoteUrl("mooncakestore://10.0.0.1:50051/");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->master.host, "10.0.0.1");
  EXPECT_EQ(url->master.port, 50051);
  EXPECT_EQ(url->device, "");
}

TEST(RemoteUrlTest, ParsesADeviceAndIpv6) {
  const auto url = ParseRemoteUrl("mooncakestore://[::1]:50051/?device=mlx5_0");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(url->master.ToString(), "[::1]:50051");
  EXPECT_EQ(url->device, "mlx5_0");
}

TEST(RemoteUrlTest, RefusesWhatIsNoUrlOfAStore) {
  for (const char* text :
       {"", "redis://h:1", "mooncakestore://", "mooncakestore://host", "mooncakestore://host:0/",
        "mooncakestore://host:65536/", "mooncakestore://:50051/", "mooncakestore://host:50051x/",
        "mooncakestore://{IP of Machine A}:50051/", "mooncakestore://h:1/?devise=x"}) {
    EXPECT_EQ(ParseRemoteUrl(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(RemoteUrlTest, MetadataServers) {
  EXPECT_TRUE(CheckMetadataServer("http://10.0.0.1:8080/metadata").ok());
  EXPECT_TRUE(CheckMetadataServer("https://10.0.0.1:8080/metadata").ok());
  EXPECT_TRUE(CheckMetadataServer("P2PHANDSHAKE").ok());
  EXPECT_FALSE(CheckMetadataServer("http://10.0.0.1:8080").ok());
  EXPECT_FALSE(CheckMetadataServer("etcd://10.0.0.1:2379").ok());
}

}  // namespace
}  // namespace tandem::cache
