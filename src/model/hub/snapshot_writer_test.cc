#include "model/hub/snapshot_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "model/testing/files.h"
#include "model/testing/temporary_directory.h"

namespace tandem::model::hub {
namespace {

namespace fs = std::filesystem;

class SnapshotWriterTest : public ::testing::Test {
 protected:
  RepositoryFile Store(const std::string& path, const std::string& etag) {
    fs::create_directories(model_ + "/blobs");
    std::ofstream(BlobPath(model_, etag)) << "content of " << etag;
    return {.path = path, .size = 13, .etag = etag};
  }

  const testing::TemporaryDirectory directory_;
  const std::string model_ = directory_ / "models--org--name";
  const std::string commit_ = std::string(40, 'c');
};

TEST_F(SnapshotWriterTest, WritesTheHubsLayout) {
  const Repository repository{commit_, {Store("config.json", "aa"), Store("x/y/w.gguf", "bb")}};
  ASSERT_TRUE(WriteSnapshot(model_, "main", repository).ok());
  const std::string snapshot = SnapshotPath(model_, commit_);
  EXPECT_EQ(fs::read_symlink(snapshot + "/config.json"), "../../blobs/aa");
  EXPECT_EQ(fs::read_symlink(snapshot + "/x/y/w.gguf"), "../../../../blobs/bb");
  EXPECT_EQ(testing::ReadFile(snapshot + "/x/y/w.gguf"), "content of bb");
  // Others take the whole file as the commit: no line end.
  EXPECT_EQ(testing::ReadFile(model_ + "/refs/main"), commit_);
  EXPECT_EQ(CachedCommit(model_, "main"), commit_);
  EXPECT_EQ(CachedCommit(model_, commit_), commit_);
  EXPECT_EQ(CachedCommit(model_, "other"), "");
  EXPECT_EQ(CachedCommit(model_, std::string(40, 'd')), "");
}

TEST_F(SnapshotWriterTest, AddsAndReplacesButKeepsTheRest) {
  ASSERT_TRUE(WriteSnapshot(model_, "main", {commit_, {Store("a", "aa"), Store("b", "bb")}}).ok());
  ASSERT_TRUE(WriteSnapshot(model_, "refs/pr/1", {commit_, {Store("b", "cc")}}).ok());
  const std::string snapshot = SnapshotPath(model_, commit_);
  EXPECT_EQ(testing::ReadFile(snapshot + "/a"), "content of aa");
  EXPECT_EQ(testing::ReadFile(snapshot + "/b"), "content of cc");
  EXPECT_EQ(testing::ReadFile(model_ + "/refs/refs/pr/1"), commit_);
}

TEST_F(SnapshotWriterTest, WritesNoRefForACommit) {
  ASSERT_TRUE(WriteSnapshot(model_, commit_, {commit_, {Store("a", "aa")}}).ok());
  EXPECT_FALSE(fs::exists(model_ + "/refs"));
}

TEST_F(SnapshotWriterTest, ListsOnlyFilesThatAreThere) {
  ASSERT_TRUE(
      WriteSnapshot(model_, "main", {commit_, {Store("a", "aa"), Store("x/b", "bb")}}).ok());
  fs::remove(BlobPath(model_, "aa"));
  const auto files = SnapshotFiles(SnapshotPath(model_, commit_));
  ASSERT_EQ(files.size(), 1);
  EXPECT_EQ(files[0].path, "x/b");
  EXPECT_EQ(files[0].size, 13);
}

}  // namespace
}  // namespace tandem::model::hub
