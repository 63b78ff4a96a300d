#include "store/client/local_buffers.h"

#include <gtest/gtest.h>

#include <thread>

namespace tandem::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

TEST(LocalBuffers, WaitsForRoom) {
  LocalBuffers buffers(10000);
  auto first = buffers.Take(6000, In(seconds(1)));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->bytes.size(), 6000u);
  EXPECT_TRUE(absl::IsResourceExhausted(buffers.Take(6000, In(milliseconds(1))).status()));
  EXPECT_TRUE(buffers.Take(4000, In(seconds(1))).ok());
  std::thread other([&] { first->hold.reset(); });
  EXPECT_TRUE(buffers.Take(6000, In(seconds(10))).ok());
  other.join();
}

TEST(LocalBuffers, RefusesWhatNeverFits) {
  LocalBuffers buffers(10000);
  const auto refused = buffers.Take(10001, In(seconds(10)));
  EXPECT_TRUE(absl::IsInvalidArgument(refused.status()));
  EXPECT_NE(refused.status().message().find("local_buffer_size 10000"), absl::string_view::npos);
}

TEST(LocalBuffers, ABufferOutlivesThePool) {
  transfer::WritableBytes buffer;
  {
    LocalBuffers buffers(10000);
    buffer = *buffers.Take(100, In(seconds(1)));
  }
  buffer.bytes[99] = std::byte{1};
  EXPECT_EQ(buffer.bytes[99], std::byte{1});
}

}  // namespace
}  // namespace tandem::store
