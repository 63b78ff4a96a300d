#include "store/etcd/leader_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/etcd/connect_to_masters.h"
#include "store/etcd/testing/canned_etcd.h"

namespace tandem::store {
namespace {

using testing::HasSubstr;

TimePoint Soon() { return Clock::Real().Now() + std::chrono::seconds(20); }

TEST(LeaderLookupTest, FindsTheLeaderOfItsCluster) {
  CannedEtcd etcd;
  LeaderLookup lookup({etcd.endpoint()}, "c");
  etcd.Answer("/v3/kv/range", R"({"kvs":[{"value":"MTA6MQ=="}],"count":"1"})");
  EXPECT_EQ(*lookup.Find(Soon()), "10:1");
  // "mooncake-store/c/leader"
  EXPECT_EQ(etcd.BodyOf("/v3/kv/range"), R"({"key":"bW9vbmNha2Utc3RvcmUvYy9sZWFkZXI="})");
}

TEST(LeaderLookupTest, SaysThatNobodyLeads) {
  CannedEtcd etcd;
  LeaderLookup lookup({etcd.endpoint()}, "c");
  etcd.Answer("/v3/kv/range", R"({"header":{}})");
  const absl::Status nobody = lookup.Find(Soon()).status();
  EXPECT_TRUE(absl::IsUnavailable(nobody)) << nobody;
  EXPECT_THAT(std::string(nobody.message()), HasSubstr("'c'"));
  etcd.Answer("/v3/kv/range", "", 503);
  absl::Status away = nobody;  // what was answered serves for a moment
  for (const TimePoint give_up = Soon(); away == nobody && Clock::Real().Now() < give_up;) {
    away = lookup.Find(Soon()).status();
  }
  EXPECT_TRUE(absl::IsUnavailable(away)) << away;
  EXPECT_THAT(std::string(away.message()), HasSubstr(etcd.endpoint()));
}

TEST(ConnectToMastersTest, RefusesWhatIsNoAddress) {
  for (const char* address :
       {"etcd://", "etcd://:1", "etcd://host:0", "etcd://host", "etcd://a:1;;b:1", "etcd://a:1/x",
        "etcd://https://host:2379", "zk://host:2181", "host", "host:0", ""}) {
    const absl::Status status = ConnectToMasters(address, {}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << address;
    EXPECT_THAT(std::string(status.message()), HasSubstr("master_server_address")) << address;
  }
  EXPECT_TRUE(CheckEtcdAddress("etcd://a:2379;[::1]:2379, b:2379").ok());
}

TEST(ConnectToMastersTest, FindsAMaster) {
  for (const char* address : {"a:1", "a:1,b:2"}) EXPECT_EQ(*FindMaster(address, Soon()), "a:1");
  CannedEtcd etcd;
  etcd.Answer("/v3/kv/range", R"({"kvs":[{"value":"MTA6MQ=="}],"count":"1"})");
  const std::string server = etcd.endpoint().substr(std::string("http://").size());
  EXPECT_EQ(*FindMaster("etcd://127.0.0.1:1;" + server, Soon()), "10:1");
}

}  // namespace
}  // namespace tandem::store
