#include "model/gguf_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <span>
#include <string>

#include "model/testing/gguf_writer.h"
#include "model/testing/tiny_model.h"

namespace tandem::model {
namespace {

using ::testing::HasSubstr;
using testing::TinyModelBytes;
using testing::TinyModelOptions;

absl::StatusOr<std::unique_ptr<GgufModel>> FromString(const std::string& file) {
  return GgufModel::FromBytes(std::as_bytes(std::span(file)));
}

std::string FingerprintOf(const std::string& file) {
  const auto model = FromString(file);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? (*model)->Fingerprint() : "";
}

/// Puts another integer of 4 bytes behind a metadata key.
std::string WithInteger(std::string file, const std::string& key, uint32_t value) {
  const size_t at = file.find(key);
  EXPECT_NE(at, std::string::npos) << key;
  std::memcpy(file.data() + at + key.size() + 4, &value, sizeof(value));
  return file;
}

std::string WithName(std::string file, const std::string& name, const std::string& other) {
  EXPECT_EQ(name.size(), other.size());
  file.replace(file.find(name), name.size(), other);
  return file;
}

std::string ErrorOf(const std::string& file) {
  return std::string(FromString(file).status().message());
}

TEST(GgufModel, ReadsTheConfig) {
  const std::string file = TinyModelBytes();
  const auto model = FromString(file);
  ASSERT_TRUE(model.ok()) << model.status();
  const ModelConfig& config = (*model)->config();
  EXPECT_EQ(config.architecture, "llama");
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.heads, 4);
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.intermediate_size, 128);
  EXPECT_EQ(config.vocab_size, 283);
  EXPECT_EQ(config.max_positions, 2048);
  EXPECT_FLOAT_EQ(config.rms_norm_epsilon, 1e-5f);
  EXPECT_FLOAT_EQ(config.rope_theta, 10000.0f);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_TRUE(config.interleaved_rope_rows);
  EXPECT_FALSE(config.attention_bias);
}

TEST(GgufModel, FindsTensorsByHuggingFaceNames) {
  const std::string file = TinyModelBytes();
  const auto model = FromString(file);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto query = (*model)->Find("model.layers.1.self_attn.k_proj.weight");
  ASSERT_TRUE(query.ok()) << query.status();
  EXPECT_EQ(query->type, WeightType::kQ8_0);
  EXPECT_EQ(query->rows, 32);
  EXPECT_EQ(query->columns, 64);
  for (const char* name :
       {"model.embed_tokens.weight", "model.norm.weight", "model.layers.0.input_layernorm.weight",
        "model.layers.0.post_attention_layernorm.weight", "model.layers.0.self_attn.q_proj.weight",
        "model.layers.0.self_attn.v_proj.weight", "model.layers.0.self_attn.o_proj.weight",
        "model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight",
        "model.layers.0.mlp.down_proj.weight"}) {
    EXPECT_TRUE((*model)->Find(name).ok()) << name;
  }
  EXPECT_EQ((*model)->Find("lm_head.weight").status().code(), absl::StatusCode::kNotFound);
}

TEST(GgufModel, FingerprintTellsModelsApart) {
  const std::string fingerprint = FingerprintOf(TinyModelBytes());
  EXPECT_EQ(fingerprint.size(), 64u);
  EXPECT_EQ(FingerprintOf(TinyModelBytes()), fingerprint);
  EXPECT_NE(FingerprintOf(TinyModelBytes({.seed = 2})), fingerprint);
  EXPECT_NE(FingerprintOf(TinyModelBytes({.weight_type = WeightType::kQ4_0})), fingerprint);
  EXPECT_NE(FingerprintOf(TinyModelBytes({.kv_heads = 4})), fingerprint);
}

TEST(GgufModel, NamesTheMetadataKeyThatIsWrong) {
  const std::string file = TinyModelBytes();
  EXPECT_THAT(ErrorOf(WithInteger(file, "llama.embedding_length", 0)),
              HasSubstr("llama.embedding_length is 0; accepted: 1 to "));
  EXPECT_THAT(ErrorOf(WithInteger(file, "llama.attention.head_count_kv", 3)),
              HasSubstr("llama.attention.head_count_kv is 3; accepted: a divisor of the 4 heads"));
  EXPECT_THAT(ErrorOf(WithInteger(file, "llama.embedding_length", 128)),
              HasSubstr("tensor token_embd.weight has shape [283, 64]"));
  EXPECT_THAT(ErrorOf(WithName(file, "llama.block_count", "llama.block_cound")),
              HasSubstr("llama.block_count is missing"));
}

TEST(GgufModel, RefusesOtherArchitectures) {
  testing::GgufWriter writer;
  writer.AddString("general.architecture", "mamba");
  EXPECT_THAT(
      ErrorOf(writer.Finish()),
      HasSubstr("general.architecture is \"mamba\"; accepted: \"llama\", \"qwen2\", \"qwen3\""));
}

TEST(GgufModel, RefusesAPartOfACheckpoint) {
  testing::GgufWriter writer;
  writer.AddString("general.architecture", "llama");
  writer.AddUint32("split.count", 3);
  EXPECT_THAT(ErrorOf(writer.Finish()), HasSubstr("split.count is 3; accepted: 1"));
}

TEST(GgufModel, RefusesTensorsThatItWouldNotCompute) {
  EXPECT_THAT(
      ErrorOf(WithName(TinyModelBytes(), "blk.0.attn_norm.weight", "blk.0.attn_sink.weight")),
      HasSubstr("tensor blk.0.attn_sink.weight is not part of the architecture"));
}

TEST(GgufModel, OpenNamesThePath) {
  const auto missing = GgufModel::Open("/nonexistent/model.gguf");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("/nonexistent/model.gguf"));
  const std::string path =
      ::testing::TempDir() + "/truncated_" + std::to_string(getpid()) + ".gguf";
  ASSERT_TRUE(testing::WriteTinyModel(path).ok());
  ASSERT_EQ(truncate(path.c_str(), 30'000), 0);
  const auto truncated = GgufModel::Open(path);
  EXPECT_EQ(truncated.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(truncated.status().message()), HasSubstr(path + ": tensor "));
}

}  // namespace
}  // namespace tandem::model
