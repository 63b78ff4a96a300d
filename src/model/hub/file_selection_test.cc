#include "model/hub/file_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::model::hub {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

Repository WithFiles(std::initializer_list<const char*> paths) {
  Repository repository;
  for (const char* path : paths) repository.files.push_back({.path = path, .size = 2'000'000});
  return repository;
}

std::vector<std::string> Selected(const Repository& repository, const FilePatterns& patterns = {}) {
  const auto files = SelectFiles(repository, patterns);
  EXPECT_TRUE(files.ok()) << files.status();
  std::vector<std::string> paths;
  if (files.ok()) {
    for (const RepositoryFile& file : *files) paths.push_back(file.path);
  }
  return paths;
}

std::string Refusal(const Repository& repository, const FilePatterns& patterns = {}) {
  return std::string(SelectFiles(repository, patterns).status().message());
}

TEST(FileSelection, TakesWhatServingNeedsInOneFormat) {
  EXPECT_THAT(
      Selected(WithFiles({".gitattributes", "README.md", "chat_template.jinja", "config.json",
                          "consolidated.safetensors", "flax_model.msgpack",
                          "generation_config.json", "merges.txt",
                          "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                          "model.Q4_0.gguf", "model.safetensors.index.json", "onnx/config.json",
                          "onnx/model.onnx", "original/consolidated.00.pth", "pytorch_model.bin",
                          "pytorch_model.bin.index.json", "tokenizer.json", "tokenizer.model"})),
      UnorderedElementsAre("chat_template.jinja", "config.json", "generation_config.json",
                           "merges.txt", "model-00001-of-00002.safetensors",
                           "model-00002-of-00002.safetensors", "model.safetensors.index.json",
                           "tokenizer.json", "tokenizer.model"));
}

TEST(FileSelection, TakesTheOnlyGgufFile) {
  EXPECT_THAT(Selected(WithFiles({"README.md", "a.Q4_0.gguf", "mmproj-a.gguf", "config.json"})),
              UnorderedElementsAre("a.Q4_0.gguf", "config.json"));
  EXPECT_THAT(Selected(WithFiles({"consolidated.safetensors"})),
              UnorderedElementsAre("consolidated.safetensors"));
}

TEST(FileSelection, AsksWhichOfSeveralGgufFiles) {
  const Repository repository = WithFiles({"a.Q4_0.gguf", "sub/a.Q8_0.gguf", "config.json"});
  const std::string refusal = Refusal(repository);
  EXPECT_THAT(refusal, HasSubstr("--include"));
  EXPECT_THAT(refusal, HasSubstr("a.Q4_0.gguf (2.0 MB)"));
  EXPECT_THAT(refusal, HasSubstr("sub/a.Q8_0.gguf"));
  EXPECT_THAT(Selected(repository, {.include = {"*Q8_0*"}}),
              UnorderedElementsAre("sub/a.Q8_0.gguf"));
  EXPECT_THAT(Selected(repository, {.exclude = {"sub/"}}),
              UnorderedElementsAre("a.Q4_0.gguf", "config.json"));
}

TEST(FileSelection, FollowsPatterns) {
  const Repository repository = WithFiles({"README.md", "a/b.bin", "a/c.bin", "model.safetensors"});
  EXPECT_THAT(Selected(repository, {.include = {"*.md", "a/"}, .exclude = {"*c.bin"}}),
              UnorderedElementsAre("README.md", "a/b.bin"));
  EXPECT_THAT(Refusal(repository, {.include = {"*.gguf"}}), HasSubstr("README.md"));
}

TEST(FileSelection, SaysWhatThereIsWhereNothingCanBeServed) {
  EXPECT_THAT(Refusal(WithFiles({"pytorch_model.bin", "config.json"})),
              HasSubstr("pytorch_model.bin (2.0 MB)"));
  EXPECT_THAT(Refusal(Repository()), HasSubstr("nothing"));
}

TEST(ByteText, IsShort) {
  EXPECT_EQ(ByteText(0), "0 B");
  EXPECT_EQ(ByteText(999), "999 B");
  EXPECT_EQ(ByteText(1000), "1.0 kB");
  EXPECT_EQ(ByteText(999'949), "999.9 kB");
  EXPECT_EQ(ByteText(999'950), "1.0 MB");
  EXPECT_EQ(ByteText(14'200'000'000), "14.2 GB");
}

}  // namespace
}  // namespace tandem::model::hub
