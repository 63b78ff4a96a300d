#include "model/model.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "model/testing/files.h"
#include "model/testing/tiny_model.h"

namespace tandem::model {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

/// Has a directory of its own, which is also the hub's cache.
class OpenModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(::testing::TempDir()) /
                 fmt::format("open_model_{}_{}", getpid(),
                             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(directory_);
    setenv("HF_HUB_CACHE", directory_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("HF_HUB_CACHE");
    fs::remove_all(directory_);
  }

  std::string Path(const std::string& name) const { return (directory_ / name).string(); }
  void WriteModel(const std::string& name) {
    fs::create_directories(fs::path(Path(name)).parent_path());
    ASSERT_TRUE(testing::WriteTinyModel(Path(name)).ok());
  }
  void WriteText(const std::string& name, const std::string& text) {
    fs::create_directories(fs::path(Path(name)).parent_path());
    std::ofstream(Path(name)) << text;
  }
  std::string ErrorOf(const std::string& name) const {
    return std::string(OpenModel(name).status().message());
  }

  fs::path directory_;
};

TEST_F(OpenModelTest, OpensAFile) {
  WriteModel("tiny.gguf");
  const auto model = OpenModel(Path("tiny.gguf"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config.hidden_size, 64);
  EXPECT_TRUE(model->weights->Find("model.norm.weight").ok());
  EXPECT_THAT(model->generation.eos_token_ids, ElementsAre(2));
  EXPECT_FALSE(model->generation.temperature.has_value());
  ASSERT_NE(model->chat_template, nullptr);
  const auto text = model->chat_template->Render(boost::json::object{
      {"messages", {{{"role", "user"}, {"content", "the end"}}}}, {"add_generation_prompt", true}});
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "<|im_start|>user\nthe end<|im_end|>\n<|im_start|>assistant\n");
  const std::vector<int32_t> ids = model->tokenizer->Encode(*text, true);
  EXPECT_EQ(ids.front(), 1);
  EXPECT_EQ(model->tokenizer->Decode(ids, false), *text);
}

TEST_F(OpenModelTest, OpensADirectoryWithOneFile) {
  WriteModel("checkpoint/tiny.gguf");
  EXPECT_TRUE(OpenModel(Path("checkpoint")).ok());
}

TEST_F(OpenModelTest, AsksWhichOfSeveralFiles) {
  WriteModel("checkpoint/a.gguf");
  WriteModel("checkpoint/b.gguf");
  EXPECT_EQ(OpenModel(Path("checkpoint")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(ErrorOf(Path("checkpoint")), AllOf(HasSubstr("a.gguf"), HasSubstr("b.gguf")));
}

TEST_F(OpenModelTest, ReadsTheGenerationConfigBesideTheFile) {
  WriteModel("checkpoint/tiny.gguf");
  WriteText("checkpoint/generation_config.json",
            R"({"temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05,
                "eos_token_id": [7, 2], "do_sample": true})");
  const auto model = OpenModel(Path("checkpoint"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_FLOAT_EQ(*model->generation.temperature, 0.7f);
  EXPECT_FLOAT_EQ(*model->generation.top_p, 0.8f);
  EXPECT_EQ(*model->generation.top_k, 20);
  EXPECT_FLOAT_EQ(*model->generation.repetition_penalty, 1.05f);
  EXPECT_FALSE(model->generation.min_p.has_value());
  EXPECT_THAT(model->generation.eos_token_ids, ElementsAre(7, 2));
}

TEST_F(OpenModelTest, NamesAWrongFieldOfTheGenerationConfig) {
  WriteModel("checkpoint/tiny.gguf");
  WriteText("checkpoint/generation_config.json", R"({"top_p": "most"})");
  EXPECT_THAT(
      ErrorOf(Path("checkpoint")),
      HasSubstr("generation_config.json: top_p is \"most\"; accepted: a number above 0 to 1"));
}

TEST_F(OpenModelTest, FindsAHubNameInTheCache) {
  WriteModel("models--org--tiny/snapshots/abc/tiny.gguf");
  EXPECT_TRUE(OpenModel("org/tiny").ok());
}

TEST_F(OpenModelTest, FollowsTheCachesLinksToItsBlobs) {
  WriteModel("models--org--tiny/blobs/1234");
  fs::create_directories(Path("models--org--tiny/snapshots/abc"));
  fs::create_symlink("../../blobs/1234", Path("models--org--tiny/snapshots/abc/tiny.gguf"));
  WriteText("models--org--tiny/snapshots/abc/generation_config.json", R"({"top_k": 5})");
  const auto model = OpenModel("org/tiny");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->generation.top_k, 5);
}

TEST_F(OpenModelTest, PrefersTheSnapshotOfMain) {
  WriteText("models--org--tiny/snapshots/aaa/config.json", "{}");
  WriteModel("models--org--tiny/snapshots/bbb/tiny.gguf");
  WriteText("models--org--tiny/refs/main", "bbb");
  EXPECT_TRUE(OpenModel("org/tiny").ok());
  WriteText("models--org--tiny/refs/main", "aaa");
  EXPECT_THAT(ErrorOf("org/tiny"), HasSubstr("aaa/config.json: model_type is missing"));
}

TEST_F(OpenModelTest, OpensADirectoryOfSafetensors) {
  WriteText("checkpoint/config.json", "{}");
  EXPECT_THAT(ErrorOf(Path("checkpoint")),
              HasSubstr(Path("checkpoint/config.json") + ": model_type is missing"));
}

TEST_F(OpenModelTest, SaysWhatADirectoryLacks) {
  WriteText("checkpoint/README.md", "");
  EXPECT_EQ(OpenModel(Path("checkpoint")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(ErrorOf(Path("checkpoint")),
              HasSubstr("a directory without a GGUF file or a config.json"));
}

TEST_F(OpenModelTest, ListsWhereItLooked) {
  const auto model = OpenModel("org/absent");
  EXPECT_EQ(model.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(ErrorOf("org/absent"),
              AllOf(HasSubstr("org/absent (no such file"), HasSubstr(Path("models--org--absent"))));
  EXPECT_THAT(ErrorOf("/absent/path"), ::testing::Not(HasSubstr("models--")));
}

TEST_F(OpenModelTest, NamesTheFileThatIsNoGguf) {
  WriteText("model.gguf", "no model at all");
  EXPECT_EQ(OpenModel(Path("model.gguf")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(ErrorOf(Path("model.gguf")),
              AllOf(HasSubstr(Path("model.gguf")), HasSubstr("magic")));
}

TEST_F(OpenModelTest, OpensTheDemoModel) {
  const auto path = testing::DemoModelPath(TANDEM_SOURCE_DIR);
  if (!path) GTEST_SKIP() << "no demo model: set TANDEM_TEST_MODEL, or run make demo";
  const auto model = OpenModel(*path);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config.layers, 30);
  EXPECT_EQ(model->tokenizer->vocab_size(), 49152);
  EXPECT_THAT(model->generation.eos_token_ids, ElementsAre(2));
  EXPECT_NE(model->chat_template, nullptr);
}

}  // namespace
}  // namespace tandem::model
