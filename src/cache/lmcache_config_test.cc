#include "cache/lmcache_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace tandem::cache {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kGuide[] = R"(chunk_size: 256
remote_url: "mooncakestore://10.0.0.1:50051/"
remote_serde: "naive"
local_cpu: False
max_local_cpu_size: 100

extra_config:
  local_hostname: "10.0.0.2"
  metadata_server: "http://10.0.0.1:8080/metadata"
  protocol: "rdma"
  device_name: "mlx5_0"
  master_server_address: "10.0.0.1:50051"
  global_segment_size: 32212254720 # 30GB
  local_buffer_size: 1073741824 # 1GB
  transfer_timeout: 1
  save_chunk_meta: False
)";

std::string ErrorOf(std::string_view yaml) {
  return std::string(ParseLmcacheConfig(yaml, "c.yaml").status().message());
}

TEST(LmcacheConfigTest, ReadsTheGuidesFile) {
  const auto config = ParseLmcacheConfig(kGuide, "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->chunk_size, 256);
  EXPECT_EQ(config->remote_url, "mooncakestore://10.0.0.1:50051/");
  EXPECT_FALSE(config->save_chunk_meta);
  EXPECT_TRUE(config->save_unfull_chunk);
  EXPECT_TRUE(config->has_store());
  EXPECT_THAT(config->warnings, IsEmpty());
  EXPECT_THAT(config->notes, ElementsAre(HasSubstr("max_local_cpu_size: 100 has no effect")));
  const store::StoreClientOptions store = config->StoreOptions();
  EXPECT_EQ(store.local_hostname, "10.0.0.2");
  EXPECT_EQ(store.metadata_server, "http://10.0.0.1:8080/metadata");
  EXPECT_EQ(store.master_address, "10.0.0.1:50051");
  EXPECT_EQ(store.protocol, "rdma");
  EXPECT_EQ(store.device_name, "mlx5_0");
  EXPECT_EQ(store.segment_bytes, 32212254720u);
  EXPECT_EQ(store.local_buffer_bytes, 1073741824u);
  EXPECT_EQ(store.transfer_timeout, std::chrono::seconds(1));
}

TEST(LmcacheConfigTest, SaysThatADeviceIsOfNoUseToTcp) {
  const auto with = [](const std::string& url, const std::string& extra) {
    const auto config = ParseLmcacheConfig(
        "remote_url: 'mooncakestore://127.0.0.1:1/" + url + "'\nextra_config: {" + extra + "}",
        "c.yaml");
    EXPECT_TRUE(config.ok()) << config.status();
    return config->notes;
  };
  const auto said = ElementsAre(AllOf(HasSubstr("device_name: mlx5_0 has no effect"),
                                      HasSubstr("tcp"), HasSubstr("local_hostname")));
  EXPECT_THAT(with("", "device_name: mlx5_0, protocol: tcp"), said);
  EXPECT_THAT(with("?device=mlx5_0", ""), said);
  EXPECT_THAT(with("", "device_name: mlx5_0, protocol: rdma"), IsEmpty());
  EXPECT_THAT(with("", "device_name: '', protocol: tcp"), IsEmpty());
}

TEST(LmcacheConfigTest, RefusesAKeyThatIsThereTwice) {
  EXPECT_THAT(ErrorOf("chunk_size: 128\nlocal_cpu: false\nchunk_size: 256\n"),
              AllOf(HasSubstr("c.yaml:3"), HasSubstr("chunk_size"), HasSubstr("c.yaml:1")));
  EXPECT_THAT(
      ErrorOf("extra_config:\n  protocol: tcp\n  protocol: rdma\n"),
      AllOf(HasSubstr("c.yaml:3"), HasSubstr("extra_config.protocol"), HasSubstr("c.yaml:2")));
  EXPECT_THAT(ErrorOf("extra_config: {protocol: tcp}\nextra_config: {device_name: x}\n"),
              AllOf(HasSubstr("c.yaml:2"), HasSubstr("extra_config"), HasSubstr("c.yaml:1")));
}

TEST(LmcacheConfigTest, TurnsVerificationOfLocalReadsOn) {
  const auto config = ParseLmcacheConfig("extra_config: {verify_local_reads: true}", "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->StoreOptions().verify_local_reads);
  EXPECT_FALSE(LmcacheConfig().StoreOptions().verify_local_reads);
}

TEST(LmcacheConfigTest, SaysHowTheStoreIsSecured) {
  const auto config = ParseLmcacheConfig(
      "extra_config: {tls_ca_file: /ca, tls_cert_file: /cert, tls_key_file: /key, "
      "tls_verify_clients: true, token_file: /token}",
      "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  const SecurityOptions security = config->StoreOptions().security;
  EXPECT_EQ(security.tls_ca_file, "/ca");
  EXPECT_EQ(security.tls_cert_file, "/cert");
  EXPECT_EQ(security.tls_key_file, "/key");
  EXPECT_TRUE(security.tls_verify_clients);
  EXPECT_EQ(security.token_file, "/token");
  EXPECT_TRUE(config->warnings.empty());
}

TEST(LmcacheConfigTest, TakesSeveralMasters) {
  const auto with = [](const std::string& masters) {
    return ParseLmcacheConfig(
        "remote_url: \"mooncakestore://10.0.0.2:50051/\"\nextra_config:\n"
        "  local_hostname: 10.0.0.9\n  master_server_address: \"" +
            masters + "\"\n",
        "c.yaml");
  };
  const auto config = with("10.0.0.1:50052,10.0.0.2:50051");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings, IsEmpty());
  EXPECT_EQ(config->StoreOptions().master_address, "10.0.0.1:50052,10.0.0.2:50051");
  EXPECT_FALSE(with("10.0.0.1:50051,nowhere").ok());

  const auto of_etcd = with("etcd://10.0.0.7:2379;10.0.0.8:2379");
  ASSERT_TRUE(of_etcd.ok()) << of_etcd.status();
  EXPECT_THAT(of_etcd->warnings, IsEmpty());
  EXPECT_EQ(of_etcd->StoreOptions().master_address, "etcd://10.0.0.7:2379;10.0.0.8:2379");
  EXPECT_FALSE(with("etcd://10.0.0.7:0").ok());
}

TEST(LmcacheConfigTest, DefaultsAreTheReferences) {
  const auto config = ParseLmcacheConfig("remote_url: mooncakestore://localhost:50051", "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->chunk_size, 256);
  EXPECT_EQ(config->remote_serde, "naive");
  EXPECT_EQ(config->min_retrieve_tokens, 0);
  EXPECT_EQ(config->blocking_timeout, std::chrono::seconds(10));
  EXPECT_EQ(config->master_server_address, "localhost:50051");
  EXPECT_EQ(config->local_hostname, "localhost");
  EXPECT_EQ(config->protocol, "tcp");
  EXPECT_EQ(config->global_segment_size, 3355443200u);
  EXPECT_EQ(config->local_buffer_size, 1u << 30);
  EXPECT_TRUE(config->save_chunk_meta);
  EXPECT_FALSE(config->lmcache_compatible_keys);
}

TEST(LmcacheConfigTest, WithoutAUrlThereIsNoStore) {
  const auto config = ParseLmcacheConfig("", "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->has_store());
  EXPECT_THAT(config->notes, ElementsAre(HasSubstr("remote_url is not set")));
}

TEST(LmcacheConfigTest, ErrorsNameFileLineOptionValueAndWhatIsAccepted) {
  EXPECT_EQ(ErrorOf("local_cpu: true\nchunk_size: abc\n"),
            "c.yaml:2: chunk_size: 'abc' is not accepted; it takes a whole number from 1 to 65536");
  EXPECT_EQ(ErrorOf("extra_config:\n  save_chunk_meta: maybe\n"),
            "c.yaml:2: extra_config.save_chunk_meta: 'maybe' is not accepted; it takes true or "
            "false");
}

TEST(LmcacheConfigTest, RefusesWrongTypesAndValues) {
  for (const char* yaml : {"chunk_size: 0",
                           "chunk_size: -256",
                           "chunk_size: 256.5",
                           "chunk_size: [256]",
                           "chunk_size: 99999999999",
                           "remote_url: redis://localhost:6379",
                           "remote_serde: cachegen",
                           "save_unfull_chunk: 3",
                           "min_retrieve_tokens: -1",
                           "blocking_timeout_secs: 0",
                           "blocking_timeout_secs: soon",
                           "pre_caching_hash_algorithm: md5",
                           "extra_config: 5",
                           "extra_config: [a]",
                           "extra_config: {protocol: ucx}",
                           "extra_config: {transfer_timeout: x}",
                           "extra_config: {global_segment_size: -1}",
                           "extra_config: {global_segment_size: 3 pb}",
                           "extra_config: {master_server_address: localhost}",
                           "extra_config: {metadata_server: 'http://localhost:8080'}",
                           "extra_config: {local_hostname: 'a b'}",
                           "extra_config: {device_name: {a: b}}",
                           "local_cpu: perhaps",
                           "max_local_cpu_size: big",
                           "local_disk: {a: b}",
                           "enable_async_loading: later",
                           "- a",
                           "just text",
                           "{a: b",
                           "a: b: c",
                           "? [x]\n: y"}) {
    const absl::Status status = ParseLmcacheConfig(yaml, "c.yaml").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << yaml << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("c.yaml:1")) << yaml;
  }
}

TEST(LmcacheConfigTest, PlaceholdersOfTheGuideAreRefused) {
  EXPECT_THAT(ErrorOf("remote_url: \"mooncakestore://{IP of Machine A}:50051/\""),
              HasSubstr("{IP of Machine A}"));
}

TEST(LmcacheConfigTest, SizesMayHaveUnits) {
  const auto config = ParseLmcacheConfig(
      "extra_config: {global_segment_size: 1.5gb, local_buffer_size: 64 MX}", "c.yaml");
  EXPECT_FALSE(config.ok());
  const auto accepted = ParseLmcacheConfig(
      "extra_config: {global_segment_size: 1.5gb, local_buffer_size: 64MB}", "c.yaml");
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_EQ(accepted->global_segment_size, 1610612736u);
  EXPECT_EQ(accepted->local_buffer_size, 67108864u);
  const auto short_units = ParseLmcacheConfig(
      "extra_config: {global_segment_size: 1.5GiB, local_buffer_size: 64m}", "c.yaml");
  ASSERT_TRUE(short_units.ok()) << short_units.status();
  EXPECT_EQ(short_units->global_segment_size, 1610612736u);
  EXPECT_EQ(short_units->local_buffer_size, 67108864u);
}

TEST(LmcacheConfigTest, NullsAreNotSet) {
  const auto config =
      ParseLmcacheConfig("remote_url: null\nlocal_disk:\nextra_config: ~", "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->has_store());
}

TEST(LmcacheConfigTest, UnknownOptionsAreWarnedAboutWithTheNearestName) {
  const auto config =
      ParseLmcacheConfig("chunk_sise: 16\nextra_config: {protocoll: tcp, zzz: 1}", "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->chunk_size, 256);
  EXPECT_THAT(config->warnings,
              ElementsAre("c.yaml:1: chunk_sise is not a known option and is ignored; did you mean "
                          "chunk_size?",
                          AllOf(HasSubstr("extra_config.protocoll"),
                                HasSubstr("did you mean extra_config.protocol?")),
                          "c.yaml:2: extra_config.zzz is not a known option and is ignored"));
}

TEST(LmcacheConfigTest, OptionsWithoutEffectAreNoted) {
  const auto config = ParseLmcacheConfig(
      "local_cpu: true\ncache_policy: LRU\nuse_layerwise: false\nlmcache_instance_id: a\n"
      "pre_caching_hash_algorithm: builtin\nlocal_disk: /tmp/x\nsave_decode_cache: true\n",
      "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->notes, ElementsAre(HasSubstr("local_cpu: true has no effect"),
                                         HasSubstr("cache_policy: LRU has no effect"),
                                         HasSubstr("lmcache_instance_id: a has no effect"),
                                         HasSubstr("builtin is read as sha256_cbor"),
                                         HasSubstr("local_disk: /tmp/x has no effect"),
                                         HasSubstr("save_decode_cache: true has no effect"),
                                         HasSubstr("remote_url is not set")));
}

TEST(LmcacheConfigTest, PortsOfUrlAndMasterMustAgree) {
  EXPECT_THAT(ErrorOf("remote_url: mooncakestore://h:50051/\n"
                      "extra_config: {master_server_address: 'h:50052'}"),
              AllOf(HasSubstr("remote_url: 'mooncakestore://h:50051/'"),
                    HasSubstr("extra_config.master_server_address: 'h:50052'"),
                    HasSubstr("different ports")));
}

TEST(LmcacheConfigTest, OtherHostsOfUrlAndMasterAreWarnedAbout) {
  const auto config = ParseLmcacheConfig(
      "remote_url: mooncakestore://localhost:50051/\n"
      "extra_config: {master_server_address: '127.0.0.1:50051'}",
      "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("different hosts")));
  EXPECT_EQ(config->master_server_address, "127.0.0.1:50051");
}

TEST(LmcacheConfigTest, ARemoteMasterNeedsALocalHostname) {
  EXPECT_THAT(ErrorOf("remote_url: mooncakestore://10.0.0.1:50051/"),
              HasSubstr("extra_config.local_hostname: not set"));
}

TEST(LmcacheConfigTest, ALookupIsNotLongerThanALoad) {
  const auto config = ParseLmcacheConfig("blocking_timeout_secs: 0.5", "c.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->lookup_timeout, std::chrono::milliseconds(500));
}

class LoadLmcacheConfigTest : public ::testing::Test {
 protected:
  void Write(const std::string& yaml) {
    std::ofstream(path_) << yaml;
    environment_["LMCACHE_CONFIG_FILE"] = path_;
  }

  const std::string path_ =
      ::testing::TempDir() + "load_lmcache_config_test_" + std::to_string(getpid()) + ".yaml";
  Environment environment_;
};

TEST_F(LoadLmcacheConfigTest, EnvironmentGoesOverTheFileAndOverridesOverBoth) {
  Write("chunk_size: 16\nmin_retrieve_tokens: 16\nblocking_timeout_secs: 16\n");
  environment_["LMCACHE_CHUNK_SIZE"] = "32";
  environment_["LMCACHE_MIN_RETRIEVE_TOKENS"] = "32";
  environment_["LMCACHE_EXTRA_CONFIG"] = R"({"protocol": "rdma", "save_chunk_meta": false})";
  environment_["LMCACHE_LOCAL_CPU"] = "False";
  const auto config = LoadLmcacheConfig(environment_, {{"chunk_size", "64", "the command line"}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->chunk_size, 64);
  EXPECT_EQ(config->min_retrieve_tokens, 32);
  EXPECT_EQ(config->blocking_timeout, std::chrono::seconds(16));
  EXPECT_EQ(config->protocol, "rdma");
  EXPECT_FALSE(config->save_chunk_meta);
  EXPECT_THAT(config->warnings, IsEmpty());
}

TEST_F(LoadLmcacheConfigTest, ErrorsNameTheVariable) {
  environment_["LMCACHE_CHUNK_SIZE"] = "many";
  EXPECT_THAT(std::string(LoadLmcacheConfig(environment_).status().message()),
              HasSubstr("environment LMCACHE_CHUNK_SIZE: chunk_size: 'many' is not accepted"));
}

TEST_F(LoadLmcacheConfigTest, ErrorsNameTheFileThatCannotBeRead) {
  for (const char* path : {"/nonexistent/c.yaml", "/"}) {
    environment_["LMCACHE_CONFIG_FILE"] = path;
    const absl::Status status = LoadLmcacheConfig(environment_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("LMCACHE_CONFIG_FILE"), HasSubstr(path)));
  }
}

TEST_F(LoadLmcacheConfigTest, WithoutAnythingItIsTheDefaults) {
  const auto config = LoadLmcacheConfig({});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->chunk_size, 256);
}

}  // namespace
}  // namespace tandem::cache
