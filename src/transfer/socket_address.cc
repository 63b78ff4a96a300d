#include "transfer/socket_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/host_lookup.h"
#include "base/scoped_fd.h"
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

absl::StatusOr<HostAndPort> SplitHostAndPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  const bool has_port =
      colon != std::string::npos && (bracketed ? text[colon - 1] == ']' : text.find(':') == colon);
  HostAndPort named{has_port ? text.substr(0, colon) : text};
  if (bracketed && named.host.ends_with(']')) {
    named.host = named.host.substr(1, named.host.size() - 2);
  }
  if (has_port) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, named.port);
    if (error != std::errc() || stop != end || named.port < 1 || named.port > 65535) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' has a port that is not in 1..65535", text));
    }
  }
  if (named.host.empty())
    return absl::InvalidArgumentError(fmt::format("'{}' names no host", text));
  return named;
}

absl::StatusOr<SocketAddress> ResolveEndpoint(const std::string& endpoint) {
  const absl::StatusOr<HostAndPort> named = SplitHostAndPort(endpoint);
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
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::Real().Now());
  pollfd waited{socket.get(), POLLOUT, 0};
  if (poll(&waited, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000))) <= 0) {
    return false;
  }
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

std::string FormatEndpoint(const std::string& host, int port) {
  const bool v6 = host.find(':') != std::string::npos && host.front() != '[';
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace tandem::transfer
