#include "base/accept_error.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>

#include "base/scoped_fd.h"

namespace tandem {
namespace {

/// accept's errno, 0 if it took a connection. No member: UBSan looks at the object of a member's
/// call through a pipe, for which there are no descriptors either while this test has used them up.
int Accept(int listener) {
  const ScopedFd taken(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  return taken.valid() ? 0 : errno;
}

/// A socket of the abstract name that the system has chosen, with one connection in its queue.
class AcceptErrorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socklen_t length = sizeof(sa_family_t);
    auto* name = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(bind(listener_.get(), name, length), 0);
    ASSERT_EQ(listen(listener_.get(), 1), 0);
    length = sizeof(address);
    ASSERT_EQ(getsockname(listener_.get(), name, &length), 0);
    ASSERT_EQ(connect(caller_.get(), name, length), 0);
  }
  static ScopedFd Socket() {
    return ScopedFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  }

  const ScopedFd listener_ = Socket(), caller_ = Socket();
};

TEST_F(AcceptErrorTest, WithoutDescriptorsTheConnectionStaysQueued) {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit used_up = limit;
  used_up.rlim_cur =
      static_cast<rlim_t>(ScopedFd(fcntl(listener_.get(), F_DUPFD_CLOEXEC, 0)).get());
  const int listener = listener_.get();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &used_up), 0);
  const int error = Accept(listener);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(LeavesConnectionQueued(error)) << error;
  EXPECT_EQ(Accept(listener_.get()), 0);
}

TEST_F(AcceptErrorTest, OthersSayThatThereIsNone) {
  EXPECT_EQ(Accept(listener_.get()), 0);
  const int none_left = Accept(listener_.get());
  EXPECT_NE(none_left, 0);
  for (const int error : {0, none_left, ECONNABORTED, EINTR, EINVAL}) {
    EXPECT_FALSE(LeavesConnectionQueued(error)) << error;
  }
}

}  // namespace
}  // namespace tandem
