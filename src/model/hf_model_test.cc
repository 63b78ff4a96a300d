#include "model/hf_model.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "model/testing/safetensors_writer.h"

namespace tandem::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* kConfig = R"({"model_type": "llama", "hidden_act": "silu", "hidden_size": 2,
  "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 2, "vocab_size": 3,
  "max_position_embeddings": 16, "rms_norm_eps": 1e-6, "eos_token_id": 1})";

constexpr const char* kTokenizer = R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1},
  "merges": []}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
  "added_tokens": [{"id": 2, "content": "<s>", "special": true}]})";

/// Has a directory with a checkpoint of one tensor.
class HfModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(::testing::TempDir()) /
                 fmt::format("hf_model_{}_{}", getpid(),
                             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(directory_);
    Write("config.json", kConfig);
    Write("tokenizer.json", kTokenizer);
    Write("tokenizer_config.json",
          R"({"bos_token": {"content": "<s>"}, "eos_token": "b", "chat_template": "{{ 1 }}"})");
    testing::SafetensorsWriter writer;
    writer.AddTensor("model.norm.weight", "F32", {2}, "abcdefgh");
    Write("model.safetensors", writer.Finish());
  }
  void TearDown() override { fs::remove_all(directory_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name, std::ios::binary) << text;
  }
  void Remove(const std::string& name) { fs::remove(directory_ / name); }
  absl::StatusOr<Model> Open() const { return OpenHfModel(directory_.string()); }
  std::string ErrorOf() const { return std::string(Open().status().message()); }
  std::string Path(const std::string& name) const { return (directory_ / name).string(); }

  fs::path directory_;
};

TEST_F(HfModelTest, OpensADirectory) {
  const auto model = Open();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config.hidden_size, 2);
  EXPECT_TRUE(model->weights->Find("model.norm.weight").ok());
  EXPECT_EQ(model->weights->Find("lm_head.weight").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(model->tokenizer->bos_token_id(), 2);
  EXPECT_EQ(model->tokenizer->eos_token_id(), 1);
  EXPECT_THAT(model->generation.eos_token_ids, ElementsAre(1));
  EXPECT_EQ(*model->chat_template->Render(boost::json::object()), "1");
}

TEST_F(HfModelTest, GenerationConfigComesFirst) {
  Write("generation_config.json",
        R"({"temperature": 0.5, "eos_token_id": [2, 0], "max_new_tokens": 9})");
  const auto model = Open();
  ASSERT_TRUE(model.ok()) << model.status();
  // Then what ends a text to the tokenizer.
  EXPECT_THAT(model->generation.eos_token_ids, ElementsAre(2, 0, 1));
  EXPECT_FLOAT_EQ(*model->generation.temperature, 0.5f);
  EXPECT_EQ(model->generation.max_new_tokens, 9);
}

TEST_F(HfModelTest, DefaultsThatNoRequestMayAskForAreNamed) {
  const std::string path = Path("generation_config.json");
  for (const auto& [json, error] : {
           std::pair(R"({"top_p": 0})", "top_p is 0; accepted: a number above 0 to 1"),
           std::pair(R"({"temperature": 3})", "temperature is 3; accepted: a number from 0 to 2"),
           std::pair(R"({"repetition_penalty": 0})", "accepted: a number above 0 to 1000000"),
           std::pair(R"({"max_new_tokens": 0})",
                     "max_new_tokens is 0; accepted: an integer from 1"),
           std::pair(R"({"top_k": -2})", "top_k is -2; accepted: an integer from 1, or 0 or -1"),
       }) {
    Write("generation_config.json", json);
    EXPECT_THAT(ErrorOf(), AllOf(HasSubstr(path), HasSubstr(error)));
  }
  Write("generation_config.json", R"({"top_k": -1})");
  const auto model = Open();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->generation.top_k, 0);
}

TEST_F(HfModelTest, ATemplateFileComesFirst) {
  Write("chat_template.jinja", "{{ 2 }}");
  const auto model = Open();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(*model->chat_template->Render(boost::json::object()), "2");
}

TEST_F(HfModelTest, ReadsShards) {
  Remove("model.safetensors");
  for (const char* name : {"one", "two"}) {
    testing::SafetensorsWriter writer;
    writer.AddTensor(name, "F16", {2}, "abcd");
    Write(std::string(name) + ".safetensors", writer.Finish());
  }
  Write("model.safetensors.index.json",
        R"({"weight_map": {"one": "one.safetensors", "two": "two.safetensors"}})");
  const auto model = Open();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE(model->weights->Find("one").ok());
  EXPECT_TRUE(model->weights->Find("two").ok());

  Write("model.safetensors.index.json",
        R"({"weight_map": {"three": "one.safetensors", "two": "two.safetensors"}})");
  EXPECT_THAT(ErrorOf(), HasSubstr(Path("one.safetensors") + " has no tensor three"));
  Remove("two.safetensors");
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HfModelTest, FingerprintTellsWeightsApart) {
  const std::string fingerprint = Open()->weights->Fingerprint();
  EXPECT_EQ(Open()->weights->Fingerprint(), fingerprint);
  testing::SafetensorsWriter writer;
  writer.AddTensor("model.norm.weight", "F32", {2}, "abcdefgH");
  Write("model.safetensors", writer.Finish());
  EXPECT_NE(Open()->weights->Fingerprint(), fingerprint);
}

TEST_F(HfModelTest, NamesTheFileAndTheField) {
  Write("tokenizer_config.json", R"({"eos_token": "nobody"})");
  EXPECT_THAT(ErrorOf(), HasSubstr(Path("tokenizer.json") + ": eos_token is \"nobody\""));
  Write("tokenizer_config.json", R"({"chat_template": "line\n{% frobnicate %}"})");
  EXPECT_THAT(ErrorOf(), HasSubstr(Path("tokenizer_config.json") + ": chat_template: "));
  EXPECT_THAT(ErrorOf(), HasSubstr("line 2"));
  Write("config.json", R"({"model_type": "llama", "hidden_act": "silu"})");
  EXPECT_EQ(ErrorOf(), Path("config.json") + ": hidden_size is missing");
}

TEST_F(HfModelTest, NamesAMissingFile) {
  for (const char* file : {"tokenizer.json", "model.safetensors", "config.json"}) {
    Remove(file);
    EXPECT_EQ(Open().status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(ErrorOf(), HasSubstr(file));
  }
}

TEST_F(HfModelTest, NamesTheTruncatedFile) {
  fs::resize_file(directory_ / "model.safetensors", 60);
  EXPECT_THAT(ErrorOf(), HasSubstr(Path("model.safetensors") + ": "));
}

}  // namespace
}  // namespace tandem::model
