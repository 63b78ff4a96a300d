#include "transfer/shared_memory_writers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/hash.h"
#include "transfer/shared_memory_server.h"
#include "transfer/testing/writable_host.h"

namespace tandem::transfer {
namespace {

using std::chrono::seconds;
using testing::In;
using testing::WritableHost;

class SharedMemoryWritersTest : public ::testing::Test {
 protected:
  void Start(int server_threads) {
    server_ = *SharedMemoryServer::Start(region_, host_, server_threads);
    auto writers = SharedMemoryWriters::Connect(server_->socket_name(), In(seconds(10)));
    ASSERT_TRUE(writers.ok()) << writers.status();
    writers_ = *std::move(writers);
  }
  /// Has `count` threads write an object each, `times` times.
  void WriteFromThreads(uint64_t count, uint64_t times) {
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < count; ++t) {
      threads.emplace_back([this, t, times] {
        std::vector<std::byte> value(300'000, static_cast<std::byte>(t + 1));
        const std::vector<std::span<const std::byte>> parts = {value};
        for (uint64_t i = 0; i < times; ++i) {
          const uint64_t place = t * times + i;
          const std::vector<StagedWrite> writes = {
              {{"key", {place << 20, value.size(), place + 1}, value.size()}, parts}};
          const auto results = writers_->Write(writes, In(seconds(20)), seconds(20));
          EXPECT_TRUE(results[0].ok() && *results[0] == Checksum64(value)) << results[0].status();
          EXPECT_TRUE(
              std::ranges::equal(region_->bytes().subspan(place << 20, value.size()), value));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(host_.published().size(), count * times);
    EXPECT_TRUE(host_.WaitForHolds(0));
  }

  std::shared_ptr<const MemoryRegion> region_ = *MemoryRegion::Create(64 << 20);
  WritableHost host_{region_};
  std::unique_ptr<SharedMemoryServer> server_;
  std::unique_ptr<SharedMemoryWriters> writers_;
};

TEST_F(SharedMemoryWritersTest, WritesOfSeveralThreadsAreCopiedAtOnce) {
  Mutex mutex;
  CondVar changed;
  int opened = 0;
  std::atomic<bool> met{true};
  host_.set_before_write([&] {
    MutexLock lock(mutex);
    ++opened;
    changed.NotifyAll();
    if (!changed.WaitUntil(mutex, In(seconds(20)), [&] { return opened >= 2; })) met = false;
  });
  Start(/*server_threads=*/2);
  WriteFromThreads(2, 1);
  EXPECT_TRUE(met) << "the second write waited for the first";
}

TEST_F(SharedMemoryWritersTest, MoreThreadsThanConnectionsTakeTurns) {
  Start(/*server_threads=*/3);
  WriteFromThreads(9, 5);
  EXPECT_FALSE(writers_->broken());
}

TEST_F(SharedMemoryWritersTest, OneThreadServesSeveralConnections) {
  Start(/*server_threads=*/1);
  WriteFromThreads(4, 5);
}

TEST_F(SharedMemoryWritersTest, AnOwnerThatIsGoneIsUnavailable) {
  Start(/*server_threads=*/2);
  server_.reset();
  const std::vector<std::byte> value(10);
  const std::vector<std::span<const std::byte>> parts = {value};
  const std::vector<StagedWrite> writes = {{{"key", {0, 10, 1}, 10}, parts}};
  for (int i = 0; i < 2; ++i) {
    const auto results = writers_->Write(writes, In(seconds(10)), seconds(10));
    EXPECT_TRUE(absl::IsUnavailable(results[0].status())) << results[0].status();
  }
  EXPECT_TRUE(writers_->broken());
}

}  // namespace
}  // namespace tandem::transfer
