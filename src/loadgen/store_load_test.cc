#include "loadgen/store_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "loadgen/store_report.h"
#include "store/master/master_service.h"

namespace tandem::loadgen {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const StoreLoadOptions kSmall{.object_bytes = {4096, 1 << 20},
                              .bytes_per_pass = 1 << 20,
                              .most_objects = 20,
                              .batch = 3,
                              .least_time = std::chrono::milliseconds(1)};

class StoreLoadTest : public testing::Test {
 protected:
  StoreLoadTest() {
    auto service = store::MasterService::Start({.address = "127.0.0.1"},
                                               store::ServingMaster::Of(master_), master_metrics_);
    EXPECT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
  }
  std::unique_ptr<store::StoreClient> Join(uint64_t segment, const std::string& identity = "") {
    auto client = store::StoreClient::Create(
        {.local_hostname = "127.0.0.1",
         .metadata_server = "P2PHANDSHAKE",
         .master_address = "127.0.0.1:" + std::to_string(service_->port()),
         .segment_bytes = segment,
         .local_buffer_bytes = 32 << 20,
         .transfer_timeout = std::chrono::seconds(10),
         .host_identity = identity},
        registry_, Clock::Real());
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  MetricRegistry registry_;
  store::MasterMetrics master_metrics_{registry_};
  store::Master master_{{}, master_metrics_, Clock::Real()};
  std::unique_ptr<store::MasterService> service_;
};

TEST_F(StoreLoadTest, MeasuresPutsAndGetsByEveryPath) {
  const auto owner = Join(64 << 20);
  const auto put = MeasurePuts(*owner, kSmall, "put", "x", "");
  ASSERT_TRUE(put.ok()) << put.status();
  ASSERT_THAT(*put, SizeIs(2));
  EXPECT_EQ(put->at(0).object_bytes, 4096u);
  EXPECT_GE(put->at(0).objects, 20u);
  EXPECT_GT(put->at(1).seconds, 0);

  const auto neighbour = Join(0);
  const auto mapped = MeasureGets(*neighbour, kSmall, "get", "x");
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  EXPECT_GT(neighbour->counters().mapped_read_bytes, 1u << 20);
  EXPECT_EQ(neighbour->counters().remote_read_bytes, 0u);

  const auto stranger = Join(0, "another host");
  const auto remote = MeasureGets(*stranger, kSmall, "get", "x");
  ASSERT_TRUE(remote.ok()) << remote.status();
  EXPECT_GT(stranger->counters().remote_read_bytes, 1u << 20);
  const auto sent = MeasurePuts(*stranger, kSmall, "put", "y", owner->segment_name());
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_GT(stranger->counters().remote_write_bytes, 1u << 20);

  RemoveObjects(*owner, kSmall, "x");
  RemoveObjects(*owner, kSmall, "y");
  EXPECT_EQ(master_.usage().keys, 0u);
}

TEST_F(StoreLoadTest, TellsWhatCannotBeDone) {
  const auto client = Join(0);
  const auto put = MeasurePuts(*client, kSmall, "put", "x", "");
  EXPECT_THAT(std::string(put.status().message()), HasSubstr("put x/4096/0: no space (-200)"));
  const auto get = MeasureGets(*client, kSmall, "get", "x");
  EXPECT_THAT(std::string(get.status().message()), HasSubstr("object not found"));
}

TEST(StoreKeys, AreAsManyAsAPassHolds) {
  EXPECT_THAT(StoreKeys(kSmall, "x", 4096), SizeIs(20));
  EXPECT_THAT(StoreKeys(kSmall, "x", 1 << 18), SizeIs(4));
  EXPECT_THAT(StoreKeys(kSmall, "x", 1 << 25), SizeIs(1));
}

TEST(StoreReport, TellsBandwidthBesideTheLimits) {
  const std::vector<StoreFigure> figures = {{"put, own segment", 1 << 20, 1000, 0.5}};
  EXPECT_THAT(StoreTable(figures), HasSubstr("1 MiB       2097         2000"));
  const MachineLimits limits{1e10, 2e9};
  EXPECT_THAT(MachineTable(limits), HasSubstr("10000"));
  const auto json = boost::json::parse(StoreJson(figures, limits)).as_object();
  EXPECT_EQ(json.at("loopback_bytes_per_second").as_double(), 2e9);

  const auto copy = ReadFigures(WriteFigures(figures));
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(StoreTable(*copy), StoreTable(figures));
  EXPECT_FALSE(ReadFigures("{").ok());
  EXPECT_FALSE(ReadFigures("[{}]").ok());
}

}  // namespace
}  // namespace tandem::loadgen
