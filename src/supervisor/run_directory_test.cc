#include "supervisor/run_directory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tandem::supervisor {
namespace {

class RunDirectoryTest : public testing::Test {
 protected:
  RunDirectoryTest()
      : parent_(testing::TempDir() + "/run_directory_test_" + std::to_string(getpid())) {
    std::filesystem::remove_all(parent_);
    std::filesystem::create_directories(parent_);
  }
  ~RunDirectoryTest() override { std::filesystem::remove_all(parent_); }

  std::unique_ptr<RunDirectory> Create() {
    auto created = RunDirectory::Create(parent_, "run-");
    EXPECT_TRUE(created.ok()) << created.status();
    return *std::move(created);
  }

  const std::string parent_;
};

TEST_F(RunDirectoryTest, LastsAsLongAsTheObject) {
  auto directory = Create();
  const std::string path = directory->path();
  std::ofstream(path + "/file") << "x";
  EXPECT_TRUE(std::filesystem::exists(path + "/file"));
  directory.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(RunDirectoryTest, RemovesWhatKilledRunsLeft) {
  const std::string left = parent_ + "/run-abcdef";
  std::filesystem::create_directories(left + "/inner");
  Create();
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST_F(RunDirectoryTest, KeepsThoseOfOtherRunsAndOtherNames) {
  const std::string other_name = parent_ + "/run-of-another-kind";
  std::filesystem::create_directories(other_name);
  const auto first = Create();
  const auto second = Create();
  EXPECT_NE(first->path(), second->path());
  EXPECT_TRUE(std::filesystem::exists(first->path()));
  EXPECT_TRUE(std::filesystem::exists(other_name));
}

TEST_F(RunDirectoryTest, SaysWhereNoneCanBeMade) {
  const auto created = RunDirectory::Create(parent_ + "/nowhere", "run-");
  EXPECT_NE(created.status().message().find(parent_ + "/nowhere"), std::string::npos);
}

}  // namespace
}  // namespace tandem::supervisor
