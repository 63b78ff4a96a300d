#include "supervisor/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/own_addresses.h"
#include "base/scoped_fd.h"

namespace tandem::supervisor {

absl::Status CheckPortIsFree(const std::string& host, int port, const std::string& purpose,
                             const std::string& flag) {
  const ScopedFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--host ", host, ": not an IPv4 address such as 127.0.0.1 or 0.0.0.0"));
  }
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return absl::OkStatus();
  }
  if (errno == EADDRNOTAVAIL) {
    return absl::InvalidArgumentError(
        absl::StrCat("--host ", host, ": not an address of this host; it takes one of ",
                     absl::StrJoin(OwnAddresses(), ", "), ", or 0.0.0.0 for all of them"));
  }
  return absl::AlreadyExistsError(absl::StrCat(
      "port ", port, " (", purpose,
      ") cannot be listened on: ", std::generic_category().message(errno), ". Choose another with ",
      flag, " PORT, or move all six with --port-base PORT (0 lets the system choose)"));
}

}  // namespace tandem::supervisor
