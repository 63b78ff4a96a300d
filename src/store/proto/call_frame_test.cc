#include "store/proto/call_frame.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace tandem::store {
namespace {

constexpr size_t kLimit = 1024;

class FramePaceTest : public ::testing::Test {
 protected:
  FramePaceTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    here_ = CallSocket(ScopedFd(ends[0]));
    there_ = CallSocket(ScopedFd(ends[1]));
  }
  absl::Status Send() {
    return SendFrame(there_, 7, "payload", Clock::Real().Now() + std::chrono::seconds(10));
  }
  absl::StatusOr<CallFrame> Receive(Duration wait) {
    return ReceiveFrame(here_, Clock::Real().Now() + wait, kLimit, &pace_);
  }

  CallSocket here_, there_;
  FramePace pace_;
};

TEST_F(FramePaceTest, CountsTheFramesThatDidNotComeInTime) {
  for (int late = 1; late <= 5; ++late) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(Receive(std::chrono::milliseconds(1)).status()));
    EXPECT_EQ(pace_.late, late);
  }
}

TEST_F(FramePaceTest, AFrameThatIsThereIsNotLate) {
  pace_.late = 5;
  // The first tries may be interrupted for long.
  for (int i = 0; i < 1000 && pace_.late > 0; ++i) {
    ASSERT_TRUE(Send().ok());
    const auto frame = Receive(std::chrono::seconds(10));
    ASSERT_TRUE(frame.ok()) << frame.status();
    EXPECT_EQ(frame->payload, "payload");
  }
  EXPECT_EQ(pace_.late, 0);
}

TEST_F(FramePaceTest, WaitingAwakeEndsWhenTheOtherEndCloses) {
  there_ = CallSocket();
  EXPECT_TRUE(absl::IsNotFound(Receive(std::chrono::seconds(10)).status()));
}

}  // namespace
}  // namespace tandem::store
