#include "base/tcp_connect.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/host_lookup.h"
#include "base/socket_wait.h"

namespace tandem {

ScopedFd ConnectTcp(const std::string& host, int port, TimePoint deadline) {
  const auto addresses = LookUpHost(host, port, deadline);
  if (!addresses.ok()) return ScopedFd();
  const HostAddresses& found = *addresses;
  ScopedFd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return ScopedFd();
  int error = connect(socket.get(), found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS && WaitForSocket(socket.get(), POLLOUT, deadline)) {
    socklen_t length = sizeof(error);
    getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  }
  return error == 0 ? std::move(socket) : ScopedFd();
}

}  // namespace tandem
