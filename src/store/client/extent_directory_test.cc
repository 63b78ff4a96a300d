#include "store/client/extent_directory.h"

#include <gtest/gtest.h>

namespace tandem::store {
namespace {

class ExtentDirectoryTest : public testing::Test {
 protected:
  void Write(const Extent& extent) {
    ASSERT_TRUE(directory_.HoldForWrite(extent).ok());
    ASSERT_TRUE(directory_.Publish({"key", extent, extent.length, 0}).ok());
    directory_.Release(extent);
  }

  ExtentDirectory directory_;
};

constexpr Extent kFirst{.offset = 100, .length = 50, .generation = 7};
constexpr Extent kNext{.offset = 120, .length = 100, .generation = 8};  // overlaps kFirst

TEST_F(ExtentDirectoryTest, ReadsOnlyWhatIsPublishedInThatGeneration) {
  ASSERT_TRUE(directory_.HoldForWrite(kFirst).ok());
  EXPECT_TRUE(absl::IsNotFound(directory_.HoldForRead(kFirst)));
  ASSERT_TRUE(directory_.Publish({"key", kFirst, 50, 0}).ok());
  EXPECT_TRUE(directory_.HoldForRead(kFirst).ok());
  EXPECT_TRUE(absl::IsNotFound(directory_.HoldForRead({100, 50, 6})));
  EXPECT_TRUE(absl::IsNotFound(directory_.HoldForRead({100, 51, 7})));
}

TEST_F(ExtentDirectoryTest, ANewerGenerationTakesThePlaceOfOlderOnes) {
  Write(kFirst);
  Write({150, 10, 3});
  Write(kNext);
  EXPECT_TRUE(absl::IsNotFound(directory_.HoldForRead(kFirst)));
  ASSERT_EQ(directory_.Published().size(), 1u);
  EXPECT_EQ(directory_.Published()[0].extent, kNext);
}

TEST_F(ExtentDirectoryTest, NamesWhatReadersHold) {
  Write(kFirst);
  Write({200, 10, 9});
  EXPECT_TRUE(directory_.Held().empty());
  ASSERT_TRUE(directory_.HoldForWrite({300, 10, 10}).ok());  // not an object yet
  ASSERT_TRUE(directory_.HoldForRead(kFirst).ok());
  ASSERT_TRUE(directory_.HoldForRead(kFirst).ok());
  directory_.Release(kFirst);
  EXPECT_EQ(directory_.Held(), std::vector<uint64_t>{7});
  directory_.Release(kFirst);
  EXPECT_TRUE(directory_.Held().empty());
}

TEST_F(ExtentDirectoryTest, KeepsTheChecksumOfAnExtentWhileItIsWritten) {
  const std::vector<std::byte> bytes(50);
  EXPECT_EQ(directory_.Arriving(kFirst, bytes), nullptr);
  ASSERT_TRUE(directory_.HoldForWrite(kFirst).ok());
  directory_.Arriving(kFirst, bytes)->Add(0, 50);
  EXPECT_EQ(directory_.Arriving(kFirst, bytes)->Digest(50), Checksum64(bytes));
  EXPECT_EQ(directory_.Arriving(kNext, bytes), nullptr);
  ASSERT_TRUE(directory_.Publish({"key", kFirst, 50, 0}).ok());
  EXPECT_EQ(directory_.Arriving(kFirst, bytes), nullptr);
}

TEST_F(ExtentDirectoryTest, ALateWriterIsRefused) {
  ASSERT_TRUE(directory_.HoldForWrite(kFirst).ok());
  directory_.Release(kFirst);
  Write(kNext);
  EXPECT_TRUE(absl::IsFailedPrecondition(directory_.HoldForWrite(kFirst)));
  EXPECT_TRUE(absl::IsFailedPrecondition(directory_.Publish({"key", kFirst, 50, 0})));
  EXPECT_TRUE(absl::IsFailedPrecondition(directory_.HoldForWrite(kNext)));  // published
}

TEST_F(ExtentDirectoryTest, AHeldExtentIsNotWrittenByOthers) {
  Write(kFirst);
  ASSERT_TRUE(directory_.HoldForRead(kFirst).ok());
  EXPECT_TRUE(absl::IsUnavailable(directory_.HoldForWrite(kNext)));
  directory_.Forget(kFirst);
  EXPECT_TRUE(absl::IsNotFound(directory_.HoldForRead(kFirst)));
  EXPECT_TRUE(absl::IsUnavailable(directory_.HoldForWrite(kNext)));
  EXPECT_TRUE(directory_.Published().empty());
  directory_.Release(kFirst);
  EXPECT_TRUE(directory_.HoldForWrite(kNext).ok());
}

TEST_F(ExtentDirectoryTest, ForgettingAnotherGenerationChangesNothing) {
  Write(kFirst);
  directory_.Forget({100, 50, 6});
  EXPECT_TRUE(directory_.HoldForRead(kFirst).ok());
}

TEST_F(ExtentDirectoryTest, NeighboursDoNotOverlap) {
  Write(kFirst);
  Write({150, 10, 2});
  Write({90, 10, 1});
  EXPECT_EQ(directory_.Published().size(), 3u);
}

}  // namespace
}  // namespace tandem::store
