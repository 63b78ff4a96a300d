#include "store/etcd/etcd_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/etcd/testing/canned_etcd.h"

namespace tandem::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TimePoint Soon() { return Clock::Real().Now() + std::chrono::seconds(20); }

class EtcdClientTest : public testing::Test {
 protected:
  CannedEtcd etcd_;
  EtcdClient client_{{"http://127.0.0.1:1", etcd_.endpoint()}};  // nobody listens at the first
  const EtcdClient::Lease lease_{"77", std::chrono::seconds(5)};
};

TEST_F(EtcdClientTest, ReadsWhatEtcdAnswers) {
  etcd_.Answer("/v3/lease/grant", R"({"header":{"revision":"3"},"ID":"7587864","TTL":"6"})");
  const auto lease = client_.GrantLease(5, Soon());
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->id, "7587864");
  EXPECT_EQ(lease->ttl, std::chrono::seconds(6));

  etcd_.Answer("/v3/lease/keepalive", R"({"result":{"ID":"77","TTL":"5"}})");
  EXPECT_TRUE(*client_.KeepAlive(lease_, Soon()));
  etcd_.Answer("/v3/lease/keepalive", R"({"result":{"ID":"77"}})");  // has run out
  EXPECT_FALSE(*client_.KeepAlive(lease_, Soon()));

  etcd_.Answer("/v3/kv/range", R"({"kvs":[{"key":"aw==","value":"MTA6MQ=="}],"count":"1"})");
  EXPECT_EQ(*client_.Get("k", Soon()), "10:1");
  EXPECT_EQ(etcd_.BodyOf("/v3/kv/range"), R"({"key":"aw=="})");
  etcd_.Answer("/v3/kv/range", R"({"header":{}})");
  EXPECT_EQ(*client_.Get("k", Soon()), std::nullopt);

  etcd_.Answer("/v3/kv/txn", R"({"succeeded":true})");
  EXPECT_TRUE(*client_.Create("k", "v", lease_, Soon()));
  EXPECT_THAT(etcd_.BodyOf("/v3/kv/txn"), HasSubstr(R"("lease":"77")"));
  etcd_.Answer("/v3/kv/txn", R"({"header":{}})");
  EXPECT_FALSE(*client_.PutWhile("g", "x", "k", "v", Soon()));
}

TEST_F(EtcdClientTest, IsNotMisledByNonsense) {
  for (const char* nonsense : {"", "<html>", "[]", "{}", "null", R"({"ID":1,"TTL":"x"})",
                               R"({"kvs":[7]})", R"({"kvs":[{"value":"%"}]})"}) {
    for (const char* path :
         {"/v3/lease/grant", "/v3/lease/keepalive", "/v3/kv/range", "/v3/kv/txn"}) {
      etcd_.Answer(path, nonsense);
    }
    EXPECT_FALSE(client_.GrantLease(5, Soon()).ok()) << nonsense;
    EXPECT_FALSE(client_.KeepAlive(lease_, Soon()).value_or(false)) << nonsense;
    const auto value = client_.Get("k", Soon());
    EXPECT_TRUE(!value.ok() || value->value_or("").empty()) << nonsense;
    EXPECT_FALSE(client_.Create("k", "v", lease_, Soon()).value_or(false)) << nonsense;
  }
}

TEST_F(EtcdClientTest, NamesTheEndpointThatFails) {
  etcd_.Answer("/v3/kv/range", R"({"error":"etcdserver: no leader"})", 503);
  const absl::Status status = client_.Get("k", Soon()).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()),
              testing::AnyOf(HasSubstr("no leader"), HasSubstr(":1")));
  EXPECT_FALSE(client_.Get("k", Clock::Real().Now()).ok());
}

TEST(EtcdClient, LeavesTimeForTheOtherEndpointsAndRemembersWhichAreSilent) {
  SilentEtcd silent;
  CannedEtcd etcd;
  etcd.Answer("/v3/kv/range", R"({"kvs":[{"value":"MTA6MQ=="}],"count":"1"})");
  EtcdClient client({silent.endpoint(), etcd.endpoint()});
  EXPECT_EQ(*client.Get("k", Soon()), "10:1");
  EXPECT_EQ(silent.WaitForCalls(1), 1);
  EXPECT_EQ(*client.Get("k", Soon()), "10:1");
  EXPECT_EQ(silent.WaitForCalls(1), 1);
}

TEST(ParseEtcdEndpoints, TakesListsWithAndWithoutAScheme) {
  EXPECT_THAT(*ParseEtcdEndpoints("a:2379,http://b:1/;c:3"),
              ElementsAre("http://a:2379", "http://b:1", "http://c:3"));
  EXPECT_FALSE(ParseEtcdEndpoints("").ok());
  EXPECT_THAT(std::string(ParseEtcdEndpoints("ftp://a").status().message()), HasSubstr("ftp://a"));
  EXPECT_FALSE(ParseEtcdEndpoints("https://a:2379").ok());
}

}  // namespace
}  // namespace tandem::store
