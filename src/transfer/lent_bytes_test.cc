#include "transfer/lent_bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace tandem::transfer {
namespace {

TimePoint In(Duration wait) { return Clock::Real().Now() + wait; }

TEST(LentBytesTest, AreBackOnceTheLastHoldIsLetGo) {
  const std::array<std::byte, 4> bytes{};
  LentBytes lent(bytes);
  ReadableBytes first = lent.Lend();
  EXPECT_EQ(first.bytes.data(), bytes.data());
  EXPECT_EQ(first.bytes.size(), bytes.size());
  ReadableBytes second = first;
  first.hold.reset();
  EXPECT_FALSE(lent.WaitUntilReturned(In(std::chrono::milliseconds(1))));
  std::thread reader([&] { second.hold.reset(); });
  EXPECT_TRUE(lent.WaitUntilReturned(In(std::chrono::seconds(20))));
  reader.join();
}

TEST(LentBytesTest, AreBackIfNobodyWasLentThem) {
  const std::array<std::byte, 4> bytes{};
  LentBytes lent(bytes);
  EXPECT_TRUE(lent.WaitUntilReturned(In(std::chrono::seconds(20))));
}

TEST(LentBytesTest, MayBeHeldLongerThanTheyAreWaitedFor) {
  const std::array<std::byte, 4> bytes{};
  ReadableBytes held;
  {
    LentBytes lent(bytes);
    held = lent.Lend();
    EXPECT_FALSE(lent.WaitUntilReturned(In(std::chrono::milliseconds(1))));
  }
  EXPECT_EQ(held.hold.use_count(), 1);
}

}  // namespace
}  // namespace tandem::transfer
