#include "transfer/network_interface.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/own_addresses.h"
#include "base/scoped_fd.h"

namespace tandem::transfer {
namespace {

constexpr Duration kLinkTimeout = std::chrono::seconds(3);

bool SameHost(const sockaddr& a, const sockaddr& b) {
  if (a.sa_family != b.sa_family) return false;
  if (a.sa_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in&>(a).sin_addr.s_addr ==
           reinterpret_cast<const sockaddr_in&>(b).sin_addr.s_addr;
  }
  return a.sa_family == AF_INET6 &&
         std::memcmp(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr,
                     &reinterpret_cast<const sockaddr_in6&>(b).sin6_addr, sizeof(in6_addr)) == 0;
}

bool IsRunning(const ScopedFd& socket, const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
  return ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

}  // namespace

std::string InterfaceOf(const SocketAddress& address) {
  ifaddrs* interfaces = nullptr;
  if (getifaddrs(&interfaces) != 0) return "";
  std::string name;
  for (const ifaddrs* next = interfaces; next != nullptr && name.empty(); next = next->ifa_next) {
    if (next->ifa_addr != nullptr && SameHost(*next->ifa_addr, *address.get())) {
      name = next->ifa_name;
    }
  }
  freeifaddrs(interfaces);
  return name.substr(0, name.find(':'));  // without the label of an alias
}

absl::StatusOr<std::string> WaitForInterfaceOf(const std::string& hostname) {
  const absl::StatusOr<SocketAddress> address = ResolveAddress(hostname, 0);
  if (!address.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("local_hostname: {}", std::string(address.status().message())));
  }
  const std::string interface = InterfaceOf(*address);
  if (!interface.empty() && !WaitUntilRunning(interface, Clock::Real().Now() + kLinkTimeout)) {
    return absl::UnavailableError(fmt::format(
        "local_hostname {} is on the interface {}, which is down", hostname, interface));
  }
  return interface;
}

bool IsOfThisHost(const SocketAddress& address) {
  const ScopedFd socket(::socket(address.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return bind(socket.get(), address.get(), address.length) == 0 || errno != EADDRNOTAVAIL;
}

std::string ForeignHostnameWarning(const std::string& hostname) {
  const absl::StatusOr<SocketAddress> address = ResolveAddress(hostname, 0);
  if (!address.ok() || IsOfThisHost(*address)) return "";
  return fmt::format(
      "local_hostname: {} is not an address of this host, which has {}: others reach what it lends "
      "only if something translates the address",
      hostname, fmt::join(OwnAddresses(), ", "));
}

bool WaitUntilRunning(const std::string& interface, TimePoint deadline) {
  const ScopedFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // Tells of every change of a link.
  const ScopedFd changes(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  bind(changes.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  while (!IsRunning(socket, interface)) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::Real().Now()).count();
    pollfd waited{changes.get(), POLLIN, 0};
    if (left <= 0 || poll(&waited, 1, static_cast<int>(std::min<int64_t>(left, 60000))) <= 0) {
      return IsRunning(socket, interface);
    }
    std::array<char, 8192> ignored;
    while (recv(changes.get(), ignored.data(), ignored.size(), 0) > 0) {
    }
  }
  return true;
}

}  // namespace tandem::transfer
