#include "store/disk/claimed_directory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "store/disk/testing/temporary_directory.h"

namespace tandem::store {
namespace {

TEST(ClaimedDirectory, IsSharedByNobodyAndFoundAgain) {
  const testing::TemporaryDirectory root;
  const std::string below = root.path() + "/not/there/yet";
  auto first = ClaimedDirectory::Claim(below, "host");
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = ClaimedDirectory::Claim(below, "host");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_NE(first->path(), second->path());
  EXPECT_NE(first->id(), second->id());
  EXPECT_TRUE(first->is_new());

  const std::string path = first->path(), id = first->id();
  { const ClaimedDirectory gone = *std::move(first); }
  const auto again = ClaimedDirectory::Claim(below, "host");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->path(), path);
  EXPECT_EQ(again->id(), id);
  EXPECT_FALSE(again->is_new());
}

TEST(ClaimedDirectory, TakesAnyName) {
  const testing::TemporaryDirectory root;
  const auto claimed = ClaimedDirectory::Claim(root.path(), "../[::1]:80");
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  EXPECT_EQ(std::filesystem::path(claimed->path()).parent_path(), root.path());
}

TEST(ClaimedDirectory, SaysWhichPathCannotBeUsed) {
  const testing::TemporaryDirectory root;
  const std::string file = root.path() + "/file";
  std::ofstream(file) << "not a directory";
  const auto claimed = ClaimedDirectory::Claim(file, "host");
  EXPECT_NE(claimed.status().message().find(file), std::string::npos) << claimed.status();
}

}  // namespace
}  // namespace tandem::store
