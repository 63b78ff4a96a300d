#pragma once

#include <sys/socket.h>

#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace tandem::transfer {

/// An internet address and port, as the system's calls take it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int port() const;
};

/// Resolves a host name or address. A name service has kNameServiceTime (base/host_lookup.h): then
/// DeadlineExceeded.
absl::StatusOr<SocketAddress> ResolveAddress(const std::string& host, int port);

/// Takes "host:port" or "[v6]:port" apart and resolves it.
absl::StatusOr<SocketAddress> ResolveEndpoint(const std::string& endpoint);

/// Whether the host of `address` refuses connections to that port, which says that no process
/// listens there. False if it takes them, or says nothing by `deadline`.
bool RefusesConnections(const SocketAddress& address, TimePoint deadline);

/// The address of this host's interface that packets to `endpoint` would leave by. Sends nothing.
absl::StatusOr<std::string> LocalAddressTowards(const std::string& endpoint);

}  // namespace tandem::transfer
