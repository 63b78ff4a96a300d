#include "base/host_lookup.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <future>
#include <thread>

namespace tandem {
namespace {

absl::StatusOr<HostAddresses> Ask(const AddressLookup& lookup, const std::string& host, int port,
                                  int flags) {
  const addrinfo hints{.ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const int error = lookup(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error == 0) return HostAddresses(found, &freeaddrinfo);
  return absl::InvalidArgumentError(
      fmt::format("'{}' is not a host name or address: {}", host, gai_strerror(error)));
}

}  // namespace

absl::StatusOr<HostAddresses> LookUpHost(const std::string& host, int port, TimePoint deadline,
                                         const AddressLookup& lookup) {
  if (auto known = Ask(lookup, host, port, AI_NUMERICHOST); known.ok()) return known;
  std::packaged_task<absl::StatusOr<HostAddresses>()> task(
      [lookup, host, port] { return Ask(lookup, host, port, 0); });
  std::future<absl::StatusOr<HostAddresses>> answer = task.get_future();
  std::thread(std::move(task)).detach();
  if (answer.wait_until(deadline) == std::future_status::ready) return answer.get();
  return absl::DeadlineExceededError(
      fmt::format("the name service has no answer yet for '{}'", host));
}

}  // namespace tandem
