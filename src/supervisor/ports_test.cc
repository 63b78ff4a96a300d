#include "supervisor/ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/scoped_fd.h"

namespace tandem::supervisor {
namespace {

TEST(CheckPortIsFree, NamesThePortAndTheFlagOfOneInUse) {
  const ScopedFd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  const int port = ntohs(address.sin_port);

  const absl::Status status = CheckPortIsFree("127.0.0.1", port, "proxy", "--port");
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(testing::HasSubstr(std::to_string(port)), testing::HasSubstr("proxy"),
                             testing::HasSubstr("--port PORT")));
}

TEST(CheckPortIsFree, AcceptsZero) {
  EXPECT_TRUE(CheckPortIsFree("127.0.0.1", 0, "proxy", "--port").ok());
}

TEST(CheckPortIsFree, RefusesAnAddressOfAnotherHost) {
  const absl::Status status = CheckPortIsFree("192.0.2.1", 0, "proxy", "--port");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(testing::HasSubstr("--host 192.0.2.1: not an address of this host"),
                             testing::HasSubstr("127.0.0.1"), testing::HasSubstr("0.0.0.0")));
}

TEST(CheckPortIsFree, RefusesAHostThatIsNoAddress) {
  EXPECT_EQ(CheckPortIsFree("nowhere", 0, "proxy", "--port").code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tandem::supervisor
