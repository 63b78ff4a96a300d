#include "store/disk/heard_through.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "store/disk/testing/temporary_directory.h"

namespace tandem::store {
namespace {

const HeardThrough kHeard{1234, "18bc"}, kNothing;

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

class HeardThroughTest : public ::testing::Test {
 protected:
  HeardThrough Read() const { return ReadHeardThrough(directory_.path()); }
  absl::Status Write(const HeardThrough& heard) const {
    return WriteHeardThrough(directory_.path(), heard);
  }
  void Leave(const std::string& bytes) const {
    std::ofstream(directory_.path() + "/heard", std::ios::binary | std::ios::trunc) << bytes;
  }

  const testing::TemporaryDirectory directory_;
};

TEST_F(HeardThroughTest, IsReadBackAndReplaced) {
  EXPECT_EQ(Read(), kNothing);
  ASSERT_TRUE(Write({9, "another life"}).ok());
  ASSERT_TRUE(Write(kHeard).ok());
  EXPECT_EQ(Read(), kHeard);
}

TEST_F(HeardThroughTest, OneThatIsTornIsNone) {
  const std::string whole = PackHeardThrough(kHeard);
  for (size_t length = 0; length < whole.size(); ++length) {
    Leave(whole.substr(0, length));
    EXPECT_EQ(Read(), kNothing) << length;
  }
  Leave(whole + "x");
  EXPECT_EQ(Read(), kNothing);
  Leave(whole);
  EXPECT_EQ(Read(), kHeard);
}

TEST_F(HeardThroughTest, OneThatIsDamagedIsNone) {
  for (size_t i = 0; i < PackHeardThrough(kHeard).size(); ++i) {
    std::string damaged = PackHeardThrough(kHeard);
    damaged[i] ^= 1;
    EXPECT_TRUE(absl::IsDataLoss(UnpackHeardThrough(Bytes(damaged)).status())) << i;
  }
}

TEST_F(HeardThroughTest, KeepsNoEpochThatIsLongerThanMastersHave) {
  EXPECT_TRUE(Write({1, std::string(kMostEpochBytes, 'e')}).ok());
  EXPECT_EQ(Read().generation, 1u);
  EXPECT_TRUE(absl::IsInvalidArgument(Write({2, std::string(kMostEpochBytes + 1, 'e')})));
  EXPECT_EQ(Read().generation, 1u);
}

TEST_F(HeardThroughTest, ADirectoryThatTakesNothingKeepsTheLast) {
  ASSERT_TRUE(Write(kHeard).ok());
  // In the way of the file's successor.
  ASSERT_TRUE(std::filesystem::create_directory(directory_.path() + "/heard.new"));
  const absl::Status refused = Write({5678, "18bc"});
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(refused.message().find(directory_.path()), std::string::npos) << refused;
  EXPECT_EQ(Read(), kHeard);
}

TEST_F(HeardThroughTest, IsItsUsersAlone) {
  ASSERT_TRUE(Write(kHeard).ok());
  struct stat status {};
  ASSERT_EQ(stat((directory_.path() + "/heard").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace tandem::store
