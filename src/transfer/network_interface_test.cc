#include "transfer/network_interface.h"

#include <gtest/gtest.h>

namespace tandem::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(NetworkInterface, IsFoundByItsAddress) {
  EXPECT_EQ(InterfaceOf(*ResolveAddress("127.0.0.1", 0)), "lo");
  EXPECT_EQ(InterfaceOf(*ResolveAddress("192.0.2.1", 0)), "");  // reserved for documentation
}

TEST(NetworkInterface, TheLoopbackRuns) {
  EXPECT_TRUE(WaitUntilRunning("lo", Clock::Real().Now() + seconds(10)));
}

TEST(NetworkInterface, IsWaitedForUntilTheDeadline) {
  EXPECT_FALSE(WaitUntilRunning("no_such_if", Clock::Real().Now() + milliseconds(5)));
}

}  // namespace
}  // namespace tandem::transfer
