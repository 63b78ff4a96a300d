#include "model/hub/blob_check.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/clock.h"
#include "base/scoped_fd.h"
#include "model/hub/blob_lock.h"
#include "model/testing/temporary_directory.h"

namespace tandem::model::hub {
namespace {

// Of "hello\n", by sha256sum and by git hash-object.
constexpr const char* kSha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
constexpr const char* kGitSha1 = "ce013625030ba8dba906f756967f9e9ca394464a";
// Of nothing.
constexpr const char* kEmptyGitSha1 = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

class BlobCheckTest : public ::testing::Test {
 protected:
  void Check(const std::string& content, const std::string& etag) {
    std::ofstream(directory_ / "file") << content;
    fd_ = ScopedFd(open((directory_ / "file").c_str(), O_RDONLY | O_CLOEXEC));
    check_ = std::make_unique<BlobCheck>(fd_.get(), content.size(), etag, [this] {
      MutexLock lock(mutex_);
      ended_ = true;
      changed_.NotifyAll();
    });
  }

  absl::Status Wait() {
    MutexLock lock(mutex_);
    EXPECT_TRUE(changed_.WaitUntil(mutex_, Clock::Real().Now() + std::chrono::seconds(10),
                                   [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ended_; }));
    return check_->result().value_or(absl::UnknownError("no result"));
  }

  const testing::TemporaryDirectory directory_;
  ScopedFd fd_;
  Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<BlobCheck> check_;
};

TEST_F(BlobCheckTest, KnowsSha256AndGitBlobs) {
  for (const char* etag : {kSha256, kGitSha1}) {
    Check("hello\n", etag);
    check_->Arrived(6);
    EXPECT_TRUE(Wait().ok()) << etag;
    check_.reset();
    MutexLock lock(mutex_);
    ended_ = false;
  }
}

TEST_F(BlobCheckTest, FollowsTheFileAsItArrives) {
  Check("hello\n", kSha256);
  check_->Arrived(2);
  check_->Arrived(5);
  EXPECT_FALSE(check_->result().has_value());
  check_->Arrived(6);
  EXPECT_TRUE(Wait().ok());
}

TEST_F(BlobCheckTest, NamesBothChecksumsWhereTheyDiffer) {
  Check("hallo\n", kSha256);
  check_->Arrived(6);
  const absl::Status status = Wait();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.message(), ::testing::HasSubstr(kSha256));
  EXPECT_THAT(status.message(), ::testing::HasSubstr("its checksum is "));
}

TEST_F(BlobCheckTest, HasAnEmptyFilesChecksum) {
  Check("", kEmptyGitSha1);
  EXPECT_TRUE(Wait().ok());
}

TEST_F(BlobCheckTest, LetsUnknownEtagsPass) {
  Check("hello\n", "a-mirrors-own");
  check_->Arrived(6);
  EXPECT_TRUE(Wait().ok());
}

TEST_F(BlobCheckTest, StopsBeforeTheEnd) {
  Check("hello\n", kSha256);
  check_->Arrived(3);
  check_.reset();
  MutexLock lock(mutex_);
  EXPECT_FALSE(ended_);
}

TEST(BlobLock, IsHeldOnce) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory / ".locks/models--a/etag.lock";
  auto first = BlobLock::TryTake(path);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(first->has_value());
  EXPECT_FALSE(BlobLock::TryTake(path)->has_value());
  first->reset();
  EXPECT_TRUE(BlobLock::TryTake(path)->has_value());
}

}  // namespace
}  // namespace tandem::model::hub
