#include "store/master/master_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/master/maintenance.h"
#include "store/master/testing/pool.h"
#include "store/proto/master_client.h"

namespace tandem::store {
namespace {

using testing::HasSubstr;

TimePoint Soon() { return Clock::Real().Now() + std::chrono::seconds(30); }

class MasterServiceTest : public testing::Test {
 protected:
  MasterServiceTest() {
    auto service = MasterService::Start({.address = "127.0.0.1"}, pool_.master, pool_.metrics);
    EXPECT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
    pool_.Mount("a", 1 << 20);
  }
  std::unique_ptr<MasterClient> Connect() {
    auto client = MasterClient::Connect("127.0.0.1:" + std::to_string(service_->port()));
    EXPECT_TRUE(client.ok());
    return *std::move(client);
  }
  double Value(const std::string& metric) {
    const std::string text = RenderMetrics(pool_.registry);
    const size_t at = text.find("\n" + metric + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + metric.size() + 2));
  }

  Pool pool_;
  std::unique_ptr<MasterService> service_;
};

TEST_F(MasterServiceTest, CarriesAPutAndAGet) {
  const auto client = Connect();
  proto::PutStartRequest start;
  start.set_client_id("a");
  start.add_keys("k");
  start.add_sizes(100);
  const auto started = client->PutStart(start, Soon());
  ASSERT_TRUE(started.ok()) << started.status();
  proto::PutEndRequest end;
  end.set_client_id("a");
  end.add_items()->set_key("k");
  end.mutable_items(0)->add_generations(started->results(0).extents(0).generation());
  const auto ended = client->PutEnd(end, Soon());
  ASSERT_TRUE(ended.ok());
  EXPECT_EQ(ended->codes(0), kOk);

  proto::GetReplicasRequest get;
  get.add_keys("k");
  get.add_keys("none");
  const auto found = client->GetReplicas(get, Soon());
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->results(0).code(), kOk);
  EXPECT_EQ(found->results(1).code(), kObjectNotFound);
  EXPECT_EQ(found->lease_milliseconds(), 10'000u);
  EXPECT_EQ(Value("master_put_end_requests_total"), 1);
  EXPECT_EQ(Value("master_put_end_failures_total"), 0);
  EXPECT_EQ(Value("master_get_replica_list_failures_total"), 1);
}

TEST_F(MasterServiceTest, AnswersEveryCall) {
  const auto client = Connect();
  EXPECT_TRUE(client->MountSegment({}, Soon()).ok());
  EXPECT_TRUE(client->UnmountSegment({}, Soon()).ok());
  EXPECT_TRUE(client->Ping({}, Soon()).ok());
  EXPECT_TRUE(client->RegisterObjects({}, Soon()).ok());
  EXPECT_TRUE(client->PutStart({}, Soon()).ok());
  EXPECT_TRUE(client->PutEnd({}, Soon()).ok());
  EXPECT_TRUE(client->PutRevoke({}, Soon()).ok());
  EXPECT_TRUE(client->GetReplicas({}, Soon()).ok());
  EXPECT_TRUE(client->Exist({}, Soon()).ok());
  EXPECT_TRUE(client->Remove({}, Soon()).ok());
  EXPECT_TRUE(client->RemoveByRegex({}, Soon()).ok());
  EXPECT_TRUE(client->RemoveAll({}, Soon()).ok());
  EXPECT_TRUE(client->ReportLostReplicas({}, Soon()).ok());
  EXPECT_TRUE(client->ListKeys({}, Soon()).ok());
  const auto segments = client->ListSegments({}, Soon());
  ASSERT_TRUE(segments.ok());
  EXPECT_EQ(segments->segments_size(), 1);
}

TEST_F(MasterServiceTest, ServesSeveralThreads) {
  constexpr int kThreads = 4, kPuts = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      const auto client = Connect();
      for (int i = 0; i < kPuts; ++i) {
        proto::PutStartRequest request;
        request.set_client_id("a");
        request.add_keys(std::to_string(t) + "/" + std::to_string(i));
        request.add_sizes(64);
        const auto response = client->PutStart(request, Soon());
        ASSERT_TRUE(response.ok());
        ASSERT_EQ(response->results(0).code(), kOk);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool_.master.usage().allocated_bytes, uint64_t{64} * kThreads * kPuts);
}

TEST_F(MasterServiceTest, SaysThatAPortIsInUse) {
  const auto second = MasterService::Start({.address = "127.0.0.1", .port = service_->port()},
                                           pool_.master, pool_.metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("127.0.0.1:" + std::to_string(service_->port()) + ": Address already"));
  const auto elsewhere = MasterService::Start({.address = "no host"}, pool_.master, pool_.metrics);
  EXPECT_FALSE(elsewhere.ok());
}

TEST(Maintenance, DropsSilentClientsByItself) {
  Pool pool;
  pool.Mount("a", 1 << 20);
  pool.clock.Advance(std::chrono::seconds(11));
  const Maintenance maintenance(pool.master);
  const TimePoint give_up = Soon();
  while (pool.master.usage().segments > 0 && Clock::Real().Now() < give_up) {
    std::this_thread::yield();
  }
  EXPECT_EQ(pool.master.usage().segments, 0u);
}

}  // namespace
}  // namespace tandem::store
