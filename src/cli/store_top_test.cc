#include "cli/store_top.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace tandem::cli {
namespace {

constexpr char kBefore[] =
    "# HELP master_key_count Objects.\n"
    "# TYPE master_key_count gauge\n"
    "master_key_count 7\n"
    "master_put_end_requests_total 100\n"
    "master_evicted_key_count 10\n";
constexpr char kNow[] =
    "master_key_count 12\n"
    "master_allocated_bytes 536870912\n"
    "master_total_capacity_bytes 1073741824\n"
    "master_put_end_requests_total 150\n"
    "master_evicted_key_count 20\n"
    "something_bucket{le=\"1\"} 3\n"
    "no number\n";

TEST(StoreTopTest, ReadsMetrics) {
  const auto metrics = ParseMetrics(kNow);
  EXPECT_EQ(metrics.at("master_key_count"), 12);
  EXPECT_EQ(metrics.at("something_bucket{le=\"1\"}"), 3);
  EXPECT_FALSE(metrics.contains("no"));
  EXPECT_TRUE(ParseMetrics("").empty());
}

TEST(StoreTopTest, ShowsUseAndRates) {
  const std::string table = TopTable({{"10.0.0.1:4000", "host", 1 << 20, 1 << 18}},
                                     ParseMetrics(kBefore), ParseMetrics(kNow), 2);
  EXPECT_NE(table.find("512.0 MiB of 1.0 GiB (50 %), 12 objects"), std::string::npos) << table;
  EXPECT_NE(table.find("put 25"), std::string::npos) << table;
  EXPECT_NE(table.find("5 objects/s"), std::string::npos) << table;
  EXPECT_NE(table.find("10.0.0.1:4000"), std::string::npos) << table;
}

TEST(StoreTopTest, SaysTheSameInJson) {
  const auto view = boost::json::parse(TopJson({{"10.0.0.1:4000", "host", 1 << 20, 1 << 18}},
                                               ParseMetrics(kBefore), ParseMetrics(kNow), 2));
  EXPECT_EQ(view.at("objects").to_number<int>(), 12);
  EXPECT_EQ(view.at("calls_per_second").at("put").to_number<double>(), 25);
  EXPECT_EQ(view.at("segments").as_array()[0].at("used").to_number<int>(), 1 << 18);
}

TEST(StoreTopTest, TheFirstViewHasNoRates) {
  EXPECT_NE(TopTable({}, {}, ParseMetrics(kNow), 0).find("put 0"), std::string::npos);
}

}  // namespace
}  // namespace tandem::cli
