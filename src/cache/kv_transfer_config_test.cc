#include "cache/kv_transfer_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::cache {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(KvTransferConfigTest, ReadsTheLaunchersConsumer) {
  const auto config = KvTransferConfig::Parse(
      R"({"kv_connector":"LMCacheConnectorV1","kv_role":"kv_consumer","kv_connector_extra_config":)"
      R"({"discard_partial_chunks": false, "lmcache_rpc_port": "consumer1", "skip_last_n_tokens": 1}})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->kv_connector, "LMCacheConnectorV1");
  EXPECT_EQ(config->role, KvRole::kConsumer);
  EXPECT_EQ(config->skip_last_n_tokens, 1);
  EXPECT_THAT(config->lmcache_options, IsEmpty());
  EXPECT_THAT(config->notes,
              ElementsAre(HasSubstr("lmcache_rpc_port: \"consumer1\" has no effect")));
  EXPECT_THAT(config->warnings, IsEmpty());
}

TEST(KvTransferConfigTest, ReadsRolesAndEngineId) {
  for (const auto& [name, role] :
       {std::pair{"kv_producer", KvRole::kProducer}, std::pair{"kv_consumer", KvRole::kConsumer},
        std::pair{"kv_both", KvRole::kBoth}}) {
    const auto config = KvTransferConfig::Parse(
        std::string(R"({"kv_connector":"LMCacheConnectorV1","engine_id":"e","kv_role":")") + name +
        "\"}");
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->role, role);
    EXPECT_EQ(config->engine_id, "e");
  }
}

TEST(KvTransferConfigTest, PassesOnOptionsOfTheCache) {
  const auto config = KvTransferConfig::Parse(
      R"({"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both","kv_connector_extra_config":{)"
      R"("discard_partial_chunks":true,"lmcache.chunk_size":64,)"
      R"("lmcache.remote_url":"mooncakestore://h:1/","lmcache.extra_config":{"protocol":"rdma"}}})");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->lmcache_options.size(), 4u);
  EXPECT_EQ(config->lmcache_options[0].name, "save_unfull_chunk");
  EXPECT_EQ(config->lmcache_options[0].text, "false");
  EXPECT_EQ(config->lmcache_options[1].name, "chunk_size");
  EXPECT_EQ(config->lmcache_options[1].text, "64");
  EXPECT_THAT(config->lmcache_options[1].origin,
              AllOf(HasSubstr("--kv-transfer-config"), HasSubstr("lmcache.chunk_size")));
  EXPECT_EQ(config->lmcache_options[2].text, "mooncakestore://h:1/");
  EXPECT_EQ(config->lmcache_options[3].name, "extra_config.protocol");
  EXPECT_EQ(config->lmcache_options[3].text, "rdma");
}

TEST(KvTransferConfigTest, NotesWhatIsReadOtherwise) {
  const auto config = KvTransferConfig::Parse(
      R"({"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both","kv_load_failure_policy":"fail",)"
      R"("kv_rank":0,"kv_rol":"x","kv_connector_extra_config":{"skip_last_n_token":1}})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->notes, ElementsAre(HasSubstr("fail is read as recompute"),
                                         HasSubstr("kv_rank: 0 has no effect")));
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("did you mean kv_role?"),
                                            HasSubstr("did you mean skip_last_n_tokens?")));
}

TEST(KvTransferConfigTest, ErrorsNameFieldValueAndWhatIsAccepted) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "takes a JSON object"},
      {"not json", "'not json' is not accepted"},
      {"[]", "takes a JSON object"},
      {"{}", "kv_connector is missing"},
      {R"({"kv_connector":"LMCacheConnectorV1"})", "kv_role is missing"},
      {R"({"kv_connector":"NixlConnector","kv_role":"kv_both"})",
       "kv_connector: \"NixlConnector\" is not accepted; it takes LMCacheConnectorV1"},
      {R"({"kv_connector":"LMCacheConnectorV1","kv_role":"both"})",
       "kv_role: \"both\" is not accepted; it takes kv_producer, kv_consumer or kv_both"},
      {R"({"kv_role":1})", "kv_role: 1 is not accepted"},
      {R"({"engine_id":[]})", "engine_id: [] is not accepted; it takes text"},
      {R"({"kv_load_failure_policy":"hope"})", "it takes recompute or fail"},
      {R"({"kv_connector_extra_config":7})", "it takes an object"},
      {R"({"kv_connector_extra_config":{"discard_partial_chunks":1}})", "it takes true or false"},
      {R"({"kv_connector_extra_config":{"skip_last_n_tokens":-1}})",
       "kv_connector_extra_config.skip_last_n_tokens: -1 is not accepted"},
  };
  for (const auto& [text, message] : cases) {
    const absl::Status status = KvTransferConfig::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("--kv-transfer-config: "), HasSubstr(message)));
  }
}

}  // namespace
}  // namespace tandem::cache
