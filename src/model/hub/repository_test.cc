#include "model/hub/repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/hub/model_reference.h"

namespace tandem::model::hub {
namespace {

using ::testing::HasSubstr;

const std::string kCommit(40, 'c');

std::string Reply(const std::string& siblings) {
  return R"({"id": "org/name", "sha": ")" + kCommit + R"(", "siblings": [)" + siblings + "]}";
}

TEST(Repository, ReadsTheHubsReply) {
  const auto repository =
      ParseRepository(Reply(R"({"rfilename": "config.json", "size": 12, "blobId": "ab12"},
               {"rfilename": "sub/w.safetensors", "size": 5, "blobId": "0000",
                "lfs": {"sha256": "ff00", "size": 5, "pointerSize": 130}})"));
  ASSERT_TRUE(repository.ok()) << repository.status();
  EXPECT_EQ(repository->commit, kCommit);
  ASSERT_EQ(repository->files.size(), 2);
  EXPECT_EQ(repository->files[0].path, "config.json");
  EXPECT_EQ(repository->files[0].size, 12);
  EXPECT_EQ(repository->files[0].etag, "ab12");
  EXPECT_EQ(repository->files[1].etag, "ff00");
}

TEST(Repository, TakesAMirrorsListOfNamesAlone) {
  const auto repository = ParseRepository(Reply(R"({"rfilename": "config.json"})"));
  ASSERT_TRUE(repository.ok()) << repository.status();
  EXPECT_EQ(repository->files[0].size, -1);
  EXPECT_EQ(repository->files[0].etag, "");
}

TEST(Repository, RefusesWhatWouldLeaveTheCache) {
  for (const char* path : {"../x", "/etc/passwd", "a/../../b", "a//b", "", ".", "a\\u0000b",
                           "a\\\\b", "a/./b", "a/"}) {
    const auto repository =
        ParseRepository(Reply(std::string(R"({"rfilename": ")") + path + "\"}"));
    ASSERT_FALSE(repository.ok()) << path;
    EXPECT_THAT(repository.status().message(), HasSubstr("rfilename")) << path;
  }
  for (const char* etag : {"../x", "a/b", ".hidden", "a b"}) {
    const auto repository = ParseRepository(
        Reply(std::string(R"({"rfilename": "f", "size": 1, "blobId": ")") + etag + "\"}"));
    ASSERT_FALSE(repository.ok()) << etag;
    EXPECT_THAT(repository.status().message(), HasSubstr("the checksum of f")) << etag;
  }
}

TEST(Repository, NamesTheWrongField) {
  const auto message = [](const std::string& json) {
    return std::string(ParseRepository(json).status().message());
  };
  EXPECT_THAT(message("<html>"), HasSubstr("no JSON"));
  EXPECT_THAT(message("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(message("{}"), HasSubstr("sha is missing"));
  EXPECT_THAT(message(R"({"sha": "main"})"), HasSubstr(R"(sha is "main")"));
  EXPECT_THAT(message(R"({"sha": ")" + kCommit + R"("})"), HasSubstr("siblings is missing"));
  EXPECT_THAT(message(Reply("3")), HasSubstr("siblings[] is 3"));
  EXPECT_THAT(message(Reply(R"({"rfilename": "f", "size": -4})")),
              HasSubstr("the size of f is -4"));
}

TEST(ModelReference, ReadsNameAndRevision) {
  const auto plain = ParseModelReference("Qwen/Qwen2.5-7B");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->name, "Qwen/Qwen2.5-7B");
  EXPECT_EQ(plain->revision, "main");
  const auto pinned = ParseModelReference("gpt2@refs/pr/3");
  ASSERT_TRUE(pinned.ok());
  EXPECT_EQ(pinned->name, "gpt2");
  EXPECT_EQ(pinned->revision, "refs/pr/3");
}

TEST(ModelReference, RefusesWhatIsNone) {
  for (const char* name : {"", "@main", "a/b/c", "../b", "a b", "/a"}) {
    EXPECT_THAT(ParseModelReference(name).status().message(), HasSubstr("accepted: ORG/NAME"))
        << name;
  }
  for (const char* name : {"a/b@", "a/b@../x", "a/b@/x", "a/b@x y", "a/b@x?", "a/b@x//y"}) {
    EXPECT_THAT(ParseModelReference(name).status().message(), HasSubstr("accepted: a branch"))
        << name;
  }
}

}  // namespace
}  // namespace tandem::model::hub
