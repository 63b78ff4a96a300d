#include "store/disk/disk_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "base/scoped_fd.h"
#include "store/disk/testing/temporary_directory.h"

namespace tandem::store {
namespace {

class DiskIoTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    io_ = GetParam() ? DiskIo::CreateUring() : DiskIo::CreateThreads(3);
    if (io_ == nullptr) GTEST_SKIP() << "no io_uring here";
    fd_ = ScopedFd(open((directory_.path() + "/file").c_str(), O_RDWR | O_CREAT, 0600));
  }

  /// Starts an operation whose end can be waited for.
  static DiskIo::Done End(std::promise<absl::Status>& promise) {
    return [&promise](absl::Status status) { promise.set_value(std::move(status)); };
  }

  const testing::TemporaryDirectory directory_;
  ScopedFd fd_;
  std::unique_ptr<DiskIo> io_;
};

std::vector<std::byte> Pattern(size_t size, int seed) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + seed);
  return bytes;
}

TEST_P(DiskIoTest, ReadsWhatWasWritten) {
  // More at once than a ring has places for.
  constexpr int kCount = 200;
  constexpr size_t kBytes = 10'000;
  std::vector<std::vector<std::byte>> values, copies(kCount, std::vector<std::byte>(kBytes));
  std::vector<std::promise<absl::Status>> written(kCount), read(kCount);
  for (int i = 0; i < kCount; ++i) values.push_back(Pattern(kBytes, i));
  for (int i = 0; i < kCount; ++i) io_->Write(fd_.get(), i * kBytes, values[i], End(written[i]));
  for (auto& promise : written) EXPECT_TRUE(promise.get_future().get().ok());
  for (int i = 0; i < kCount; ++i) io_->Read(fd_.get(), i * kBytes, copies[i], End(read[i]));
  for (auto& promise : read) EXPECT_TRUE(promise.get_future().get().ok());
  EXPECT_EQ(values, copies);
}

TEST_P(DiskIoTest, TellsWhenAFileIsTooShort) {
  std::vector<std::byte> bytes(100);
  std::promise<absl::Status> written, read;
  io_->Write(fd_.get(), 0, bytes, End(written));
  ASSERT_TRUE(written.get_future().get().ok());
  io_->Read(fd_.get(), 50, bytes, End(read));
  EXPECT_TRUE(absl::IsDataLoss(read.get_future().get()));
}

TEST_P(DiskIoTest, PassesErrorsOn) {
  std::vector<std::byte> bytes(100);
  const ScopedFd full(open("/dev/full", O_RDWR));
  std::promise<absl::Status> written, read;
  io_->Write(full.get(), 0, bytes, End(written));
  EXPECT_TRUE(absl::IsResourceExhausted(written.get_future().get()));
  io_->Read(-1, 0, bytes, End(read));
  EXPECT_FALSE(read.get_future().get().ok());
}

TEST_P(DiskIoTest, EndsWhatWasStarted) {
  const std::vector<std::byte> bytes = Pattern(1 << 20, 1);
  std::vector<std::promise<absl::Status>> written(20);
  for (size_t i = 0; i < written.size(); ++i) {
    io_->Write(fd_.get(), i << 20, bytes, End(written[i]));
  }
  io_.reset();
  for (auto& promise : written) {
    auto future = promise.get_future();
    ASSERT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::ready);
    EXPECT_TRUE(future.get().ok());
  }
}

INSTANTIATE_TEST_SUITE_P(, DiskIoTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Uring" : "Threads"; });

TEST(DiskIo, HasAWayOnEverySystem) { EXPECT_NE(DiskIo::Create(), nullptr); }

}  // namespace
}  // namespace tandem::store
