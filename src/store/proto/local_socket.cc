#include "store/proto/local_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include "base/host_port.h"

namespace tandem::store {
namespace {

struct Address {
  explicit Address(const std::string& name)
      : length(static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) {
    path.sun_family = AF_UNIX;
    std::copy(name.begin() + 1, name.end(), path.sun_path + 1);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&path); }

  sockaddr_un path{};
  const socklen_t length;
};

bool BelongsHere(const addrinfo& address) {
  const ScopedFd probe(socket(address.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return probe.valid() && bind(probe.get(), address.ai_addr, address.ai_addrlen) == 0;
}

}  // namespace

std::vector<std::string> LocalSocketNames(const std::string& address, int port) {
  const std::string bare = WithoutBrackets(address);
  const std::string host = bare == "localhost" ? "127.0.0.1" : bare;
  const addrinfo hints{.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  char numeric[NI_MAXHOST] = {};
  if (!BelongsHere(*found) || getnameinfo(found->ai_addr, found->ai_addrlen, numeric,
                                          sizeof(numeric), nullptr, 0, NI_NUMERICHOST) != 0) {
    return {};
  }
  const std::string any = fmt::format("@tandem-master-*:{}", port);
  if (std::strcmp(numeric, "0.0.0.0") == 0 || std::strcmp(numeric, "::") == 0) return {any};
  return {fmt::format("@tandem-master-{}:{}", numeric, port), any};
}

ScopedFd ConnectLocally(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const Address address(name);
    ScopedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    // A master whose queue of connections is full is asked over the network.
    if (socket.valid() && connect(socket.get(), address.get(), address.length) == 0 &&
        IsOfThisUser(socket)) {
      return socket;
    }
  }
  return ScopedFd();
}

absl::StatusOr<ScopedFd> ListenLocally(const std::string& name) {
  const Address address(name);
  ScopedFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid() || bind(listener.get(), address.get(), address.length) != 0 ||
      listen(listener.get(), 64) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot listen on {}", name));
  }
  return listener;
}

bool IsOfThisUser(const ScopedFd& socket) {
  ucred peer{};
  socklen_t length = sizeof(peer);
  return getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
         peer.uid == geteuid();
}

}  // namespace tandem::store
