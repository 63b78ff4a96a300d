#include "model/hf_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <string_view>

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

boost::json::object Config(std::string_view model_type = "llama",
                           std::string_view class_name = "LlamaForCausalLM") {
  return {{"model_type", model_type},  {"architectures", {class_name}},
          {"hidden_act", "silu"},      {"hidden_size", 256},
          {"num_hidden_layers", 3},    {"num_attention_heads", 8},
          {"num_key_value_heads", 2},  {"intermediate_size", 512},
          {"vocab_size", 1000},        {"max_position_embeddings", 4096},
          {"rms_norm_eps", 1e-6},      {"rope_theta", 500000.0},
          {"torch_dtype", "bfloat16"}, {"eos_token_id", {7, 9}}};
}

HfConfig Parse(const boost::json::object& json) {
  auto config = ParseHfConfig(boost::json::serialize(json));
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *config : HfConfig();
}

/// The error once `field` is `value`.
std::string ErrorWith(boost::json::object json, std::string_view field, boost::json::value value) {
  json[{field.data(), field.size()}] = std::move(value);
  return std::string(ParseHfConfig(boost::json::serialize(json)).status().message());
}

TEST(HfConfig, ReadsALlama) {
  const HfConfig config = Parse(Config());
  EXPECT_EQ(config.model.architecture, "llama");
  EXPECT_EQ(config.model.hidden_size, 256);
  EXPECT_EQ(config.model.layers, 3);
  EXPECT_EQ(config.model.heads, 8);
  EXPECT_EQ(config.model.kv_heads, 2);
  EXPECT_EQ(config.model.head_dim, 32);
  EXPECT_EQ(config.model.intermediate_size, 512);
  EXPECT_EQ(config.model.vocab_size, 1000);
  EXPECT_EQ(config.model.max_positions, 4096);
  EXPECT_FLOAT_EQ(config.model.rms_norm_epsilon, 1e-6f);
  EXPECT_FLOAT_EQ(config.model.rope_theta, 500000.0f);
  EXPECT_EQ(config.model.dtype, compute::DataType::kBFloat16);
  EXPECT_FALSE(config.model.tied_embeddings);
  EXPECT_FALSE(config.model.attention_bias);
  EXPECT_FALSE(config.model.head_norm);
  EXPECT_FALSE(config.model.gptq.has_value());
  EXPECT_THAT(config.eos_token_ids, ElementsAre(7, 9));
}

TEST(HfConfig, ArchitecturesDiffer) {
  EXPECT_TRUE(Parse(Config("qwen2", "Qwen2ForCausalLM")).model.attention_bias);
  boost::json::object qwen3 = Config("qwen3", "Qwen3ForCausalLM");
  qwen3["head_dim"] = 128;
  EXPECT_TRUE(Parse(qwen3).model.head_norm);
  EXPECT_EQ(Parse(qwen3).model.head_dim, 128);
}

TEST(HfConfig, NamesAMissingField) {
  for (const char* field :
       {"model_type", "hidden_act", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "vocab_size", "max_position_embeddings", "rms_norm_eps"}) {
    boost::json::object json = Config();
    json.erase(field);
    EXPECT_EQ(std::string(ParseHfConfig(boost::json::serialize(json)).status().message()),
              std::string(field) + " is missing");
  }
}

TEST(HfConfig, NamesAWrongField) {
  EXPECT_THAT(ErrorWith(Config(), "model_type", "mamba"),
              HasSubstr("model_type is \"mamba\"; accepted: \"llama\", \"mistral\", \"qwen2\""));
  EXPECT_THAT(
      ErrorWith(Config(), "architectures", boost::json::array{"LlamaForSequenceClassification"}),
      HasSubstr("architectures[0] is \"LlamaForSequenceClassification\"; accepted: "
                "\"LlamaForCausalLM\""));
  EXPECT_THAT(ErrorWith(Config(), "hidden_act", "gelu"), HasSubstr("accepted: \"silu\""));
  EXPECT_THAT(ErrorWith(Config(), "attention_bias", true),
              HasSubstr("attention_bias is true; accepted: false"));
  EXPECT_THAT(ErrorWith(Config(), "hidden_size", "big"), HasSubstr("hidden_size is \"big\""));
  EXPECT_THAT(ErrorWith(Config(), "num_key_value_heads", 3),
              HasSubstr("num_key_value_heads is 3; accepted: a divisor of num_attention_heads, 8"));
  EXPECT_THAT(ErrorWith(Config(), "torch_dtype", "int8"), HasSubstr("torch_dtype is \"int8\""));
  EXPECT_EQ(ParseHfConfig("[").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(HfConfig, ReadsRopeScaling) {
  boost::json::object json = Config();
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 32.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 8192}};
  const compute::RopeScaling llama3 = Parse(json).model.rope_scaling;
  EXPECT_EQ(llama3.kind, compute::RopeScaling::Kind::kLlama3);
  EXPECT_FLOAT_EQ(llama3.factor, 32.0f);
  EXPECT_EQ(llama3.original_positions, 8192);
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
  EXPECT_EQ(Parse(json).model.rope_scaling.kind, compute::RopeScaling::Kind::kLinear);
  EXPECT_THAT(ErrorWith(Config(), "rope_scaling", {{"type", "yarn"}, {"factor", 4.0}}),
              HasSubstr("rope_scaling.type is \"yarn\"; accepted: \"default\", \"linear\""));
  EXPECT_THAT(ErrorWith(Config(), "rope_scaling", {{"type", "linear"}}),
              HasSubstr("rope_scaling.factor is missing"));
}

TEST(HfConfig, ReadsThetaWhereTransformers5PutsIt) {
  boost::json::object json = Config();
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 1e6}};
  EXPECT_FLOAT_EQ(Parse(json).model.rope_theta, 1e6f);
}

TEST(HfConfig, ASlidingWindowLimitsTheContext) {
  boost::json::object json = Config("mistral", "MistralForCausalLM");
  json["sliding_window"] = 1024;
  EXPECT_EQ(Parse(json).model.max_positions, 1024);
  json["sliding_window"] = nullptr;
  EXPECT_EQ(Parse(json).model.max_positions, 4096);
  json = Config("qwen2", "Qwen2ForCausalLM");
  json["sliding_window"] = 1024;
  EXPECT_EQ(Parse(json).model.max_positions, 4096);
  json["use_sliding_window"] = true;
  EXPECT_EQ(Parse(json).model.max_positions, 1024);
}

TEST(HfConfig, ReadsGptq) {
  boost::json::object json = Config();
  json["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 128}};
  EXPECT_EQ(Parse(json).model.gptq->group_size, 128);
  EXPECT_EQ(Parse(json).model.gptq->zero_offset, 1);
  json["quantization_config"].as_object()["checkpoint_format"] = "gptq_v2";
  json["quantization_config"].as_object()["group_size"] = -1;
  EXPECT_EQ(Parse(json).model.gptq->group_size, 0);
  EXPECT_EQ(Parse(json).model.gptq->zero_offset, 0);
}

TEST(HfConfig, RefusesOtherQuantizations) {
  EXPECT_THAT(ErrorWith(Config(), "quantization_config", {{"quant_method", "awq"}}),
              HasSubstr("quantization_config.quant_method is \"awq\"; accepted: \"gptq\""));
  EXPECT_THAT(ErrorWith(Config(), "quantization_config",
                        {{"quant_method", "gptq"}, {"bits", 8}, {"group_size", 128}}),
              HasSubstr("quantization_config.bits is 8; accepted: an integer from 4 to 4"));
  EXPECT_THAT(ErrorWith(Config(), "quantization_config",
                        {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 48}}),
              HasSubstr("quantization_config.group_size is 48; accepted: -1 or a multiple of 32"));
}

}  // namespace
}  // namespace tandem::model
