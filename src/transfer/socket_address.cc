#include "transfer/socket_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <cerrno>
#include <cstring>

#include "base/host_lookup.h"
#include "base/host_port.h"
#include "base/scoped_fd.h"
#include "base/socket_wait.h"
#include "base/status.h"

namespace tandem::transfer {

int SocketAddress::port() const {
  return ntohs(storage.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(storage).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(storage).sin_port);
}

absl::StatusOr<SocketAddress> ResolveAddress(const std::string& host, int port) {
  ASSIGN_OR_RETURN(const HostAddresses found,
                   LookUpHost(host, port, Clock::Real().Now() + kNameServiceTime));
  SocketAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.length = found->ai_addrlen;
  return address;
}

absl::StatusOr<SocketAddress> ResolveEndpoint(const std::string& endpoint) {
  const absl::StatusOr<HostPort> named = ParseHostPort(endpoint);
  if (!named.ok() || named->port == 0) {
    return absl::InvalidArgumentError(fmt::format("'{}' is not \"host:port\"", endpoint));
  }
  return ResolveAddress(named->host, named->port);
}

bool RefusesConnections(const SocketAddress& address, TimePoint deadline) {
  const ScopedFd socket(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return false;
  if (connect(socket.get(), address.get(), address.length) == 0) return false;
  if (errno == ECONNREFUSED) return true;
  if (errno != EINPROGRESS) return false;
  if (!WaitForSocket(socket.get(), POLLOUT, deadline)) return false;
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 &&
         error == ECONNREFUSED;
}

absl::StatusOr<std::string> LocalAddressTowards(const std::string& endpoint) {
  ASSIGN_OR_RETURN(const SocketAddress remote, ResolveEndpoint(endpoint));
  // Connecting a datagram socket only chooses a route.
  const ScopedFd socket(::socket(remote.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  SocketAddress local;
  local.length = sizeof(local.storage);
  char host[NI_MAXHOST];
  if (!socket.valid() || connect(socket.get(), remote.get(), remote.length) != 0 ||
      getsockname(socket.get(), reinterpret_cast<sockaddr*>(&local.storage), &local.length) != 0 ||
      getnameinfo(local.get(), local.length, host, sizeof(host), nullptr, 0, NI_NUMERICHOST) != 0) {
    return absl::UnavailableError(fmt::format("no route leads to {}", endpoint));
  }
  return std::string(host);
}

}  // namespace tandem::transfer
