#include "transfer/send_buffer.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <vector>

#include "base/scoped_fd.h"

namespace tandem::transfer {
namespace {

/// Two ends of a connection over the loopback.
struct Connection {
  Connection() {
    const ScopedFd listener(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener.get(), generic, length), 0);
    EXPECT_EQ(listen(listener.get(), 1), 0);
    EXPECT_EQ(getsockname(listener.get(), generic, &length), 0);
    EXPECT_EQ(connect(near.get(), generic, length), 0);
    far = ScopedFd(accept(listener.get(), nullptr, nullptr));
    EXPECT_TRUE(far.valid());
  }
  const ScopedFd near{socket(AF_INET, SOCK_STREAM, 0)};
  ScopedFd far;
};

/// What can be sent to an end that reads nothing.
size_t BytesOnTheirWay(const ScopedFd& from) {
  const std::vector<std::byte> bytes(64 << 10);
  size_t sent = 0;
  ssize_t some = 0;
  while ((some = send(from.get(), bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0) {
    sent += static_cast<size_t>(some);
  }
  return sent;
}

TEST(SendBuffer, OfTwoEndsThatAreNearIsLimited) {
  const Connection connection;
  // However busy the host, one round trip is short.
  char byte = 0;
  const TimePoint give_up = Clock::Real().Now() + std::chrono::seconds(20);
  while (ShortestRoundTrip(connection.near.get()) > kNearRoundTrip) {
    ASSERT_LT(Clock::Real().Now(), give_up);
    ASSERT_EQ(send(connection.near.get(), &byte, 1, 0), 1);
    ASSERT_EQ(recv(connection.far.get(), &byte, 1, 0), 1);
  }
  ASSERT_TRUE(LimitSendBuffer(connection.near.get()));
  int bytes = 0;
  socklen_t length = sizeof(bytes);
  ASSERT_EQ(getsockopt(connection.near.get(), SOL_SOCKET, SO_SNDBUF, &bytes, &length), 0);
  EXPECT_LE(bytes, 512 << 10);
  EXPECT_GT(BytesOnTheirWay(connection.near), 100u << 10);
}

TEST(SendBuffer, StaysAsItIsWhereNoRoundTripIsKnown) {
  const ScopedFd unconnected(socket(AF_INET, SOCK_STREAM, 0));
  const ScopedFd not_tcp(socket(AF_UNIX, SOCK_STREAM, 0));
  for (const ScopedFd* socket : {&unconnected, &not_tcp}) {
    EXPECT_EQ(ShortestRoundTrip(socket->get()), Duration::max());
    EXPECT_FALSE(LimitSendBuffer(socket->get()));
  }
}

}  // namespace
}  // namespace tandem::transfer
