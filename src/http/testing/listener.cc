#include "http/testing/listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace tandem::http {

Listener::Listener(int backlog) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval limit{.tv_sec = 10};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(fd_.get(), generic, size), 0);
  EXPECT_EQ(listen(fd_.get(), backlog), 0);
  EXPECT_EQ(getsockname(fd_.get(), generic, &size), 0);
  port_ = ntohs(address.sin_port);
}

ScopedFd Listener::Answer(std::string_view reply) {
  ScopedFd connection(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(connection.valid());
  const timeval limit{.tv_sec = 10};
  setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ReadRequest(connection.get());
  EXPECT_EQ(send(connection.get(), reply.data(), reply.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(reply.size()));
  return connection;
}

std::vector<ScopedFd> Listener::FillQueue() {
  std::vector<ScopedFd> queued;
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(getsockname(fd_.get(), generic, &size), 0);
  // A full queue leaves the last one connecting; what it holds beyond the backlog differs.
  constexpr int kMost = 100;
  for (int i = 0; i < kMost; ++i) {
    ScopedFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    connect(client.get(), generic, size);
    pollfd connected{client.get(), POLLOUT, 0};
    const bool made = poll(&connected, 1, 100) > 0;
    queued.push_back(std::move(client));
    if (!made) return queued;
  }
  ADD_FAILURE() << "the backlog takes more than " << kMost << " connections";
  return queued;
}

void Listener::ReadRequest(int connection) {
  std::string request;
  char buffer[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = recv(connection, buffer, sizeof(buffer), 0);
    ASSERT_GT(count, 0);
    request.append(buffer, static_cast<size_t>(count));
  }
}

}  // namespace tandem::http
