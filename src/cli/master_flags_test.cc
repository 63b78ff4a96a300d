#include "cli/master_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

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

TEST(MasterFlags, TakesTimesOfObjectsWithAUnit) {
  const ConfigFile file("default_kv_soft_pin_ttl: 2h\n");
  const auto flags = MasterFlags::Parse({"--default_kv_lease_ttl=5s", file.flag()});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->master.lease_ttl, std::chrono::seconds(5));
  EXPECT_EQ(flags->master.soft_pin_ttl, std::chrono::hours(2));
  const ConfigFile wrong("default_kv_lease_ttl: 1.5s\n");
  EXPECT_THAT(ErrorOf({wrong.flag()}),
              HasSubstr(wrong.flag() + ": --default_kv_lease_ttl=1.5s: not a time in "
                                       "whole ms, s, m or h"));
}

TEST(MasterFlags, TakesNoThreadsForTheDefaultNumber) {
  for (const Arguments& arguments : {Arguments{}, Arguments{"--rpc_thread_num=0"}}) {
    const auto flags = MasterFlags::Parse(arguments);
    ASSERT_TRUE(flags.ok()) << flags.status();
    EXPECT_EQ(flags->rpc_thread_num, 4);
    EXPECT_THAT(flags->without_effect, IsEmpty());
  }
  EXPECT_THAT(MasterFlags::Parse({"--help"})->help, HasSubstr("0 for the default number, 4"));
  EXPECT_THAT(ErrorOf({"--rpc_thread_num=-1"}),
              HasSubstr("--rpc_thread_num=-1: not a whole number 0 to 1024"));
}

TEST(MasterFlags, SaysWhatHasNoEffect) {
  const auto flags = MasterFlags::Parse(
      {"--enable_offload", "--etcd_endpoints=http://a:2379", "--enable_snapshot=false"});
  ASSERT_TRUE(flags.ok());
  EXPECT_THAT(flags->without_effect,
              ElementsAre(HasSubstr("--etcd_endpoints"), HasSubstr("--enable_offload")));
}

TEST(MasterFlags, TakesWhatSnapshotsNeed) {
  const auto flags = MasterFlags::Parse(
      {"--enable_snapshot", "--snapshot_backup_dir=/tmp", "--snapshot_interval_seconds=3"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->snapshot_backup_dir, "/tmp");
  EXPECT_EQ(flags->snapshot_interval_seconds, 3);
  EXPECT_THAT(flags->without_effect, IsEmpty());
  EXPECT_THAT(ErrorOf({"--enable_snapshot"}), HasSubstr("--snapshot_backup_dir="));
  const auto with_ha =
      MasterFlags::Parse({"--enable_ha", "--etcd_endpoints=http://a:2379", "--enable_snapshot"});
  ASSERT_TRUE(with_ha.ok()) << with_ha.status();
  EXPECT_THAT(with_ha->without_effect, ElementsAre(HasSubstr("--enable_snapshot")));
  const auto unused = MasterFlags::Parse({"--snapshot_backup_dir=/tmp"});
  ASSERT_TRUE(unused.ok());
  EXPECT_EQ(unused->snapshot_backup_dir, "");
  EXPECT_THAT(unused->without_effect, ElementsAre(HasSubstr("--snapshot_backup_dir")));
}

TEST(MasterFlags, TakesWhatAnElectionNeeds) {
  const auto flags =
      MasterFlags::Parse({"--enable_ha", "--etcd_endpoints=10.0.0.1:2379;http://10.0.0.2:2379/",
                          "--cluster_id=c", "--etcd_lease_seconds=3"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_TRUE(flags->enable_ha);
  EXPECT_THAT(flags->etcd_endpoints, ElementsAre("http://10.0.0.1:2379", "http://10.0.0.2:2379"));
  EXPECT_EQ(flags->cluster_id, "c");
  EXPECT_EQ(flags->etcd_lease_seconds, 3);
  EXPECT_THAT(flags->without_effect, IsEmpty());
  EXPECT_THAT(ErrorOf({"--enable_ha"}), HasSubstr("--etcd_endpoints="));
  EXPECT_THAT(ErrorOf({"--enable_ha", "--etcd_endpoints=ftp://a"}), HasSubstr("ftp://a"));
}

/// Every flag of mooncake_master is taken in gflags' forms, and what is set is set.
TEST(MasterFlags, TakesWhatKeepsStrangersOut) {
  const auto flags =
      MasterFlags::Parse({"--tls_ca_file=/ca", "--tls_cert_file", "/cert", "-tls_key_file=/key",
                          "--tls_verify_clients", "--token_file=/token"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->security.tls_ca_file, "/ca");
  EXPECT_EQ(flags->security.tls_cert_file, "/cert");
  EXPECT_EQ(flags->security.tls_key_file, "/key");
  EXPECT_TRUE(flags->security.tls_verify_clients);
  EXPECT_EQ(flags->security.token_file, "/token");
}

TEST(MasterFlags, TakesWhereColdObjectsGo) {
  const auto flags = MasterFlags::Parse({"--enable_offload", "--root_fs_dir=/data",
                                         "--offload_capacity_bytes=1000", "--cluster_id=c"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->master.offload_directory, "/data");
  EXPECT_EQ(flags->master.offload_capacity_bytes, 1000u);
  EXPECT_EQ(flags->master.cluster_id, "c");
  EXPECT_THAT(flags->without_effect, IsEmpty());
  EXPECT_THAT(ErrorOf({"--enable_offload", "--root_fs_dir=data"}),
              HasSubstr("--root_fs_dir=data: not an absolute path"));
  EXPECT_THAT(ErrorOf({"--offload_capacity_bytes=-1"}), HasSubstr("offload_capacity_bytes=-1"));
  const auto without = MasterFlags::Parse({"--root_fs_dir=data"});
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_EQ(without->master.offload_directory, "");
  EXPECT_THAT(without->without_effect, ElementsAre(HasSubstr("--root_fs_dir has no effect")));
}

TEST(MasterFlags, TakesEveryFlagOfMooncakes) {
  const std::map<std::string, std::string> values = {{"rpc_port", "1"},
                                                     {"rpc_address", "127.0.0.1"},
                                                     {"rpc_thread_num", "2"},
                                                     {"metrics_port", "3"},
                                                     {"enable_metric_reporting", "false"},
                                                     {"enable_http_metadata_server", "true"},
                                                     {"http_metadata_server_host", "127.0.0.1"},
                                                     {"http_metadata_server_port", "4"},
                                                     {"default_kv_lease_ttl", "5"},
                                                     {"default_kv_soft_pin_ttl", "6"},
                                                     {"allow_evict_soft_pinned_objects", "false"},
                                                     {"eviction_ratio", "0.1"},
                                                     {"eviction_high_watermark_ratio", "0.8"},
                                                     {"client_ttl", "7"},
                                                     {"put_start_discard_timeout_sec", "8"},
                                                     {"put_start_release_timeout_sec", "9"},
                                                     {"allocation_strategy", "free_ratio_first"},
                                                     {"memory_allocator", "cachelib"},
                                                     {"enable_ha", "true"},
                                                     {"etcd_endpoints", "http://a:2379"},
                                                     {"cluster_id", "c"},
                                                     {"enable_snapshot", "true"},
                                                     {"snapshot_interval_seconds", "10"},
                                                     {"snapshot_backup_dir", "/tmp"},
                                                     {"enable_offload", "true"},
                                                     {"root_fs_dir", "/tmp"},
                                                     {"v", "1"}};
  Arguments with_equals, with_space;
  std::string file_text;
  for (const auto& [name, value] : values) {
    with_equals.push_back("--" + name + "=" + value);
    file_text += name + ": " + value + "\n";
    if (value == "true" || value == "false") {
      with_space.push_back((value == "true" ? "-" : "-no") + name);
    } else {
      with_space.insert(with_space.end(), {"-" + name, value});
    }
  }
  const ConfigFile file(file_text);
  for (const Arguments& arguments : {with_equals, with_space, Arguments{file.flag()}}) {
    const auto flags = MasterFlags::Parse(arguments);
    ASSERT_TRUE(flags.ok()) << flags.status();
    EXPECT_EQ(flags->rpc_port, 1);
    EXPECT_EQ(flags->rpc_address, "127.0.0.1");
    EXPECT_EQ(flags->rpc_thread_num, 2);
    EXPECT_EQ(flags->metrics_port, 3);
    EXPECT_FALSE(flags->enable_metric_reporting);
    EXPECT_TRUE(flags->enable_http_metadata_server);
    EXPECT_EQ(flags->http_metadata_server_port, 4);
    EXPECT_EQ(flags->master.lease_ttl, std::chrono::milliseconds(5));
    EXPECT_EQ(flags->master.soft_pin_ttl, std::chrono::milliseconds(6));
    EXPECT_FALSE(flags->master.allow_evict_soft_pinned_objects);
    EXPECT_EQ(flags->master.eviction_ratio, 0.1);
    EXPECT_EQ(flags->master.eviction_high_watermark_ratio, 0.8);
    EXPECT_EQ(flags->master.client_ttl, std::chrono::seconds(7));
    EXPECT_EQ(flags->master.put_start_discard_timeout, std::chrono::seconds(8));
    EXPECT_EQ(flags->master.put_start_release_timeout, std::chrono::seconds(9));
    EXPECT_EQ(flags->master.allocation_strategy, store::AllocationStrategy::kFreeRatioFirst);
    EXPECT_TRUE(flags->enable_ha);
    EXPECT_EQ(flags->cluster_id, "c");
    EXPECT_EQ(flags->verbosity, 1);
    EXPECT_EQ(flags->master.offload_directory, "/tmp");
    EXPECT_THAT(flags->without_effect, testing::Contains(HasSubstr("--memory_allocator")));
  }
}

TEST(MasterFlags, ReadsAYamlFileBelowTheCommandLine) {
  const ConfigFile file("rpc_port: 6001\nmetrics_port: 6002\nenable_offload: true\n");
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
