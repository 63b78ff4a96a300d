#include "transfer/network_interface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::transfer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

TEST(NetworkInterface, IsFoundByItsAddress) {
  EXPECT_EQ(InterfaceOf(*ResolveAddress("127.0.0.1", 0)), "lo");
  EXPECT_EQ(InterfaceOf(*ResolveAddress("192.0.2.1", 0)), "");  // reserved for documentation
}

TEST(NetworkInterface, AnAddressOfAnotherHostIsWarnedOf) {
  for (const char* own : {"127.0.0.1", "127.0.0.2", "localhost", "0.0.0.0"}) {
    EXPECT_EQ(ForeignHostnameWarning(own), "") << own;
  }
  EXPECT_THAT(ForeignHostnameWarning("192.0.2.1"),
              AllOf(HasSubstr("local_hostname: 192.0.2.1 is not an address of this host"),
                    HasSubstr("127.0.0.1")));
}

TEST(NetworkInterface, TheLoopbackRuns) {
  EXPECT_TRUE(WaitUntilRunning("lo", Clock::Real().Now() + seconds(10)));
}

TEST(NetworkInterface, IsWaitedForUntilTheDeadline) {
  EXPECT_FALSE(WaitUntilRunning("no_such_if", Clock::Real().Now() + milliseconds(5)));
}

}  // namespace
}  // namespace tandem::transfer
