#include "base/own_addresses.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>

#include <set>

namespace tandem {

std::vector<std::string> OwnAddresses() {
  ifaddrs* interfaces = nullptr;
  if (getifaddrs(&interfaces) != 0) return {};
  std::set<std::string> addresses;
  for (const ifaddrs* next = interfaces; next != nullptr; next = next->ifa_next) {
    const sockaddr* address = next->ifa_addr;
    if (address == nullptr) continue;
    const bool v4 = address->sa_family == AF_INET;
    if (!v4 && address->sa_family != AF_INET6) continue;
    char text[NI_MAXHOST];
    if (getnameinfo(address, v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6), text, sizeof(text),
                    nullptr, 0, NI_NUMERICHOST) == 0) {
      addresses.insert(text);
    }
  }
  freeifaddrs(interfaces);
  return {addresses.begin(), addresses.end()};
}

}  // namespace tandem
