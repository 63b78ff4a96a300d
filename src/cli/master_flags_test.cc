#include "cli/master_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tandem::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A configuration file of this test's own.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text)
      : path_(testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() +
              ".config") {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  std::string flag() const { return "--config_path=" + path_; }

 private:
  const std::string path_;
};

std::string ErrorOf(const Arguments& arguments) {
  const auto flags = MasterFlags::Parse(arguments);
  EXPECT_EQ(flags.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(flags.status().message());
}

TEST(MasterFlags, TakesTheGuidesCommandLine) {
  const auto flags = MasterFlags::Parse(
      {"-v=1", "--rpc_port=50052", "--metrics_port=9004", "--enable_http_metadata_server=true",
       "--http_metadata_server_host=127.0.0.1", "--http_metadata_server_port=8081"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->verbosity, 1);
  EXPECT_EQ(flags->rpc_port, 50052);
  EXPECT_EQ(flags->metrics_port, 9004);
  EXPECT_TRUE(flags->enable_http_metadata_server);
  EXPECT_EQ(flags->http_metadata_server_host, "127.0.0.1");
  EXPECT_EQ(flags->http_metadata_server_port, 8081);
  EXPECT_THAT(flags->without_effect, IsEmpty());
}

TEST(MasterFlags, HasMooncakesDefaults) {
  const auto flags = MasterFlags::Parse({});
  ASSERT_TRUE(flags.ok());
  EXPECT_EQ(flags->rpc_port, 50051);
  EXPECT_EQ(flags->metrics_port, 9003);
  EXPECT_EQ(flags->http_metadata_server_port, 8080);
  EXPECT_FALSE(flags->enable_http_metadata_server);
  EXPECT_EQ(flags->master.lease_ttl, std::chrono::seconds(10));
  EXPECT_EQ(flags->master.soft_pin_ttl, std::chrono::minutes(30));
  EXPECT_EQ(flags->master.client_ttl, std::chrono::seconds(10));
  EXPECT_EQ(flags->master.put_start_discard_timeout, std::chrono::seconds(30));
  EXPECT_EQ(flags->master.put_start_release_timeout, std::chrono::seconds(600));
  EXPECT_EQ(flags->master.eviction_ratio, 0.05);
  EXPECT_EQ(flags->master.eviction_high_watermark_ratio, 0.9);
}

TEST(MasterFlags, ConvertsUnits) {
  const auto flags = MasterFlags::Parse({"--default_kv_lease_ttl=1500", "--client_ttl=3",
                                         "--put_start_discard_timeout_sec=4",
                                         "--allocation_strategy=local_first"});
  ASSERT_TRUE(flags.ok());
  EXPECT_EQ(flags->master.lease_ttl, std::chrono::milliseconds(1500));
  EXPECT_EQ(flags->master.client_ttl, std::chrono::seconds(3));
  EXPECT_EQ(flags->master.put_start_discard_timeout, std::chrono::seconds(4));
  EXPECT_EQ(flags->master.allocation_strategy, store::AllocationStrategy::kLocalFirst);
}

TEST(MasterFlags, SaysWhatHasNoEffect) {
  const auto flags = MasterFlags::Parse(
      {"--enable_ha", "--etcd_endpoints=http://a:2379", "--enable_snapshot=false"});
  ASSERT_TRUE(flags.ok());
  EXPECT_THAT(flags->without_effect,
              ElementsAre(HasSubstr("--enable_ha"), HasSubstr("--etcd_endpoints")));
}

TEST(MasterFlags, ReadsAYamlFileBelowTheCommandLine) {
  const ConfigFile file("rpc_port: 6001\nmetrics_port: 6002\nenable_ha: true\n");
  const auto flags = MasterFlags::Parse({file.flag(), "--metrics-port=7"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->rpc_port, 6001);
  EXPECT_EQ(flags->metrics_port, 7);
  EXPECT_EQ(flags->without_effect.size(), 1u);
}

TEST(MasterFlags, ReadsAJsonFile) {
  const ConfigFile file(R"({"rpc_port": 6003, "enable_http_metadata_server": true})");
  const auto flags = MasterFlags::Parse({file.flag()});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->rpc_port, 6003);
  EXPECT_TRUE(flags->enable_http_metadata_server);
}

TEST(MasterFlags, NamesTheFileAndTheFlagThatIsWrong) {
  const ConfigFile unknown("rpc_prot: 1\n");
  EXPECT_THAT(ErrorOf({unknown.flag()}), HasSubstr("did you mean rpc_port?"));
  const ConfigFile wrong("rpc_port: abc\n");
  EXPECT_THAT(ErrorOf({wrong.flag()}), HasSubstr("--rpc_port=abc: not a port number"));
  const ConfigFile nested("rpc_port: [1]\n");
  EXPECT_THAT(ErrorOf({nested.flag()}), HasSubstr("'rpc_port' is not a single one"));
  const ConfigFile list("- rpc_port\n");
  EXPECT_THAT(ErrorOf({list.flag()}), HasSubstr("not a map"));
  const ConfigFile broken("a: [\n");
  EXPECT_THAT(ErrorOf({broken.flag()}), HasSubstr(broken.flag()));
  EXPECT_THAT(ErrorOf({"--config_path=/nowhere.yaml"}), HasSubstr("/nowhere.yaml"));
}

TEST(MasterFlags, NamesAWrongValue) {
  EXPECT_EQ(ErrorOf({"--rpc_port=abc"}), "--rpc_port=abc: not a port number 0 to 65535");
  EXPECT_THAT(ErrorOf({"--eviction_ratio=1.5"}), HasSubstr("eviction_ratio=1.5"));
}

TEST(MasterFlags, HelpsWithEveryFlag) {
  const auto flags = MasterFlags::Parse({"--help"});
  ASSERT_TRUE(flags.ok());
  EXPECT_THAT(flags->help, HasSubstr("--eviction_high_watermark_ratio"));
}

}  // namespace
}  // namespace tandem::cli
