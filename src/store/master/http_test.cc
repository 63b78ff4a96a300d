#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/router.h"
#include "store/master/admin_http.h"
#include "store/master/metadata_http.h"
#include "store/master/testing/pool.h"

namespace tandem::store {
namespace {

using testing::HasSubstr;

class ResponseHolder : public http::ResponseWriter {
 public:
  void Respond(http::Response response) override { response_ = std::move(response); }
  void StartStream(int, http::Headers) override {}
  void Write(std::string) override {}
  void Finish() override {}
  void OnClose(std::function<void()>) override {}
  const http::Response& response() const { return response_; }

 private:
  http::Response response_{.status = 0};
};

http::Response Ask(const http::Router& router, const std::string& method, const std::string& path,
                   const std::string& query = "", const std::string& body = "") {
  auto holder = std::make_shared<ResponseHolder>();
  router.Dispatch({.method = method, .path = path, .query = query, .body = body}, holder);
  return holder->response();
}

class MetadataHttpTest : public testing::Test {
 protected:
  MetadataHttpTest() { AddMetadataRoutes(router_, store_); }
  http::Response Metadata(const std::string& method, const std::string& key,
                          const std::string& body = "") {
    return Ask(router_, method, "/metadata", "key=" + key, body);
  }

  MetadataStore store_;
  http::Router router_;
};

TEST_F(MetadataHttpTest, KeepsReplacesAndDeletes) {
  EXPECT_EQ(Metadata("GET", "mooncake/ram/a").status, 404);
  EXPECT_EQ(Metadata("PUT", "mooncake/ram/a", "{1}").status, 200);
  EXPECT_EQ(Metadata("PUT", "mooncake/ram/a", "{2}").status, 200);
  EXPECT_EQ(Metadata("GET", "mooncake%2Fram%2Fa").body, "{2}");
  EXPECT_EQ(Metadata("DELETE", "mooncake/ram/a").status, 200);
  EXPECT_EQ(Metadata("DELETE", "mooncake/ram/a").status, 404);
  EXPECT_EQ(Metadata("GET", "mooncake/ram/a").status, 404);
}

TEST_F(MetadataHttpTest, RefusesToChangeWhereAProcessIs) {
  EXPECT_EQ(Metadata("PUT", "mooncake/rpc_meta/h:1", "{1}").status, 200);
  EXPECT_EQ(Metadata("PUT", "mooncake/rpc_meta/h:1", "{1}").status, 200);
  const http::Response refused = Metadata("PUT", "mooncake/rpc_meta/h:1", "{2}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("mooncake/rpc_meta/h:1"));
  EXPECT_EQ(Metadata("GET", "mooncake/rpc_meta/h:1").body, "{1}");
}

TEST_F(MetadataHttpTest, WantsAKey) {
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    EXPECT_EQ(Ask(router_, method, "/metadata").status, 400);
    EXPECT_EQ(Metadata(method, "").status, 400);
    EXPECT_THAT(Ask(router_, method, "/metadata", "kez=1").body, HasSubstr("'key'"));
  }
  EXPECT_EQ(Ask(router_, "GET", "/health").status, 200);
}

class AdminHttpTest : public testing::Test {
 protected:
  AdminHttpTest() {
    AddAdminRoutes(router_, *serving_, pool_.metrics, pool_.registry);
    pool_.Mount("a", 1 << 20);
    pool_.Put("a", "k", 1000);
    pool_.Start("a", "unfinished", 1000);
  }
  http::Response Get(const std::string& path, const std::string& query = "") {
    return Ask(router_, "GET", path, query);
  }

  Pool pool_;
  std::shared_ptr<ServingMaster> serving_ = ServingMaster::Of(pool_.master);
  http::Router router_;
};

TEST_F(AdminHttpTest, SaysWhenItStandsBy) {
  serving_->StandBy();
  EXPECT_EQ(Get("/role").body, "standby\n");
  EXPECT_EQ(Get("/health").status, 200);
  EXPECT_THAT(Get("/metrics").body, HasSubstr("master_key_count 0\n"));
  for (const char* path : {"/metrics/summary", "/get_all_keys", "/get_all_segments"}) {
    EXPECT_EQ(Get(path).status, 503) << path;
  }
  EXPECT_EQ(Get("/query_key", "key=k").status, 503);
  EXPECT_EQ(Get("/batch_query_keys", "keys=k").status, 503);
  EXPECT_EQ(Get("/query_segment", "segment=a").status, 503);
}

TEST_F(AdminHttpTest, ListsKeysAndSegments) {
  EXPECT_EQ(Get("/get_all_keys").body, "k\n");
  EXPECT_EQ(Get("/get_all_segments").body, "a\n");
  EXPECT_EQ(Get("/health").status, 200);
  EXPECT_EQ(Get("/role").body, "leader\n");
}

TEST_F(AdminHttpTest, DescribesAKeyWithoutALease) {
  const http::Response found = Get("/query_key", "key=k");
  EXPECT_EQ(found.status, 200);
  EXPECT_THAT(found.body, HasSubstr(R"("size":1000)"));
  EXPECT_THAT(found.body, HasSubstr(R"("segment":"a")"));
  EXPECT_EQ(pool_.Remove("k"), kOk);
  EXPECT_EQ(Get("/query_key", "key=k").status, 404);
  EXPECT_THAT(Get("/query_key", "key=unfinished").body, HasSubstr("being written"));
  EXPECT_EQ(Get("/query_key").status, 400);
}

TEST_F(AdminHttpTest, DescribesSeveralKeys) {
  const http::Response found = Get("/batch_query_keys", "keys=k,none");
  EXPECT_EQ(found.status, 200);
  EXPECT_THAT(found.body, HasSubstr(R"("k":{"size":1000)"));
  EXPECT_THAT(found.body, HasSubstr(R"("none":{"error":"object not found","code":-704})"));
  EXPECT_EQ(Get("/batch_query_keys").status, 400);
}

TEST_F(AdminHttpTest, DescribesASegment) {
  EXPECT_THAT(Get("/query_segment", "segment=a").body, HasSubstr(R"("capacity":1048576)"));
  EXPECT_THAT(Get("/query_segment", "segment=a").body, HasSubstr(R"("used":2048)"));
  EXPECT_THAT(Get("/query_segment", "segment=a").body, HasSubstr(R"("largest_free":1046528)"));
  EXPECT_EQ(Get("/query_segment", "segment=b").status, 404);
  EXPECT_EQ(Get("/query_segment").status, 400);
}

TEST_F(AdminHttpTest, ShowsMetricsUnderMooncakesNames) {
  pool_.metrics.CountCall("put_start", true);
  const std::string text = Get("/metrics").body;
  for (const char* line :
       {"master_allocated_bytes 2048\n", "master_total_capacity_bytes 1048576\n",
        "master_key_count 1\n", "master_soft_pin_key_count 0\n", "master_active_clients 1\n",
        "master_segment_count 1\n", "master_evicted_key_count 0\n", "master_evicted_size_bytes 0\n",
        "master_attempted_evictions_total 0\n", "master_successful_evictions_total 0\n",
        "master_put_start_alloc_failures_total 0\n", "master_lost_replicas_total 0\n",
        "master_fragmentation_ratio 0\n", "master_put_start_requests_total 1\n",
        "master_put_start_failures_total 1\n", "master_value_size_bytes_count 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(Get("/metrics/summary").body, HasSubstr("2048 of 1048576 bytes"));
}

}  // namespace
}  // namespace tandem::store
