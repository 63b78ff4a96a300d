#include "model/hub/partial_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "model/testing/files.h"
#include "model/testing/temporary_directory.h"

namespace tandem::model::hub {
namespace {

class PartialFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<PartialFile> Open(int64_t size = 10, int64_t range_bytes = 4) {
    auto file = PartialFile::Open(path_, size, range_bytes);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  const testing::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "etag.tandem.incomplete";
};

TEST_F(PartialFileTest, TakesRangesInAnyOrder) {
  const auto file = Open();
  ASSERT_EQ(file->ranges(), 3);
  EXPECT_EQ(file->RangeSize(2), 2);
  EXPECT_TRUE(file->Append(2, "ij").ok());
  EXPECT_TRUE(file->Append(0, "abc").ok());
  EXPECT_EQ(file->Prefix(), 3);
  EXPECT_TRUE(file->Append(1, "efgh").ok());
  EXPECT_EQ(file->Prefix(), 3);
  EXPECT_EQ(file->received(), 9);
  EXPECT_TRUE(file->Append(0, "d").ok());
  EXPECT_EQ(file->Prefix(), 10);
  ASSERT_TRUE(file->Finish(directory_ / "etag").ok());
  EXPECT_EQ(testing::ReadFile(directory_ / "etag"), "abcdefghij");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(PartialFileTest, GoesOnWhereItWasLeft) {
  EXPECT_TRUE(Open()->Append(1, "ef").ok());
  // The file keeps the ranges that it was begun with.
  const auto file = Open(10, 7);
  EXPECT_EQ(file->ranges(), 3);
  EXPECT_EQ(file->Received(1), 2);
  EXPECT_EQ(PartialFile::ReceivedAt(path_, 10), 2);
  EXPECT_TRUE(file->Append(1, "gh").ok());
  EXPECT_TRUE(file->HasRange(1));
}

TEST_F(PartialFileTest, StartsOverForAnotherSize) {
  EXPECT_TRUE(Open()->Append(1, "ef").ok());
  EXPECT_EQ(PartialFile::ReceivedAt(path_, 11), 0);
  EXPECT_EQ(Open(11)->received(), 0);
}

TEST_F(PartialFileTest, StartsOverBehindAFooterThatIsNone) {
  for (const size_t kept : {0, 5, 10, 17, 25, 26, 34, 49}) {
    EXPECT_TRUE(Open()->Append(1, "ef").ok());
    std::filesystem::resize_file(path_, kept);
    EXPECT_EQ(PartialFile::ReceivedAt(path_, 10), 0) << kept;
    EXPECT_EQ(Open()->received(), 0) << kept;
    std::filesystem::remove(path_);
  }
  // More in a range than it can hold.
  EXPECT_TRUE(Open()->Append(0, "abcd").ok());
  std::fstream(path_, std::ios::in | std::ios::out | std::ios::binary).seekp(26).put('\5');
  EXPECT_EQ(Open()->received(), 0);
}

TEST_F(PartialFileTest, RefusesMoreThanARangeLacks) {
  const auto file = Open();
  EXPECT_TRUE(file->Append(0, "abc").ok());
  EXPECT_TRUE(absl::IsOutOfRange(file->Append(0, "de")));
  EXPECT_EQ(file->received(), 3);
}

TEST_F(PartialFileTest, ForgetsAndCutsAnew) {
  const auto file = Open();
  EXPECT_TRUE(file->Append(0, "abcd").ok());
  ASSERT_TRUE(file->Restart(10).ok());
  EXPECT_EQ(file->ranges(), 1);
  EXPECT_EQ(file->received(), 0);
  EXPECT_EQ(Open()->ranges(), 1);
}

TEST_F(PartialFileTest, HoldsAnEmptyFile) {
  const auto file = Open(0);
  EXPECT_EQ(file->ranges(), 0);
  ASSERT_TRUE(file->Finish(directory_ / "empty").ok());
  EXPECT_EQ(testing::ReadFile(directory_ / "empty"), "");
}

TEST_F(PartialFileTest, TellsWhyItCannotBeCreated) {
  const auto file = PartialFile::Open(directory_ / "absent/file", 1, 1);
  EXPECT_TRUE(absl::IsNotFound(file.status()));
  EXPECT_THAT(file.status().message(), ::testing::HasSubstr("absent/file"));
}

}  // namespace
}  // namespace tandem::model::hub
