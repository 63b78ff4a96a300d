#include "http/testing/raw_connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <utility>

namespace tandem::http {

RawConnection::RawConnection(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval limit{.tv_sec = 10};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

void RawConnection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return;  // The peer has closed; what it said before is still to be read.
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

bool RawConnection::ReadSome() {
  char buffer[4096];
  const ssize_t count = recv(fd_.get(), buffer, sizeof(buffer), 0);
  if (count > 0) read_.append(buffer, static_cast<size_t>(count));
  EXPECT_FALSE(count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      << "the peer was silent after: " << read_;
  return count > 0;
}

std::string RawConnection::ReadUntil(std::string_view text) {
  while (read_.find(text) == std::string::npos && ReadSome()) {
  }
  return std::exchange(read_, {});
}

std::string RawConnection::ReadAll() {
  while (ReadSome()) {
  }
  return std::exchange(read_, {});
}

}  // namespace tandem::http
