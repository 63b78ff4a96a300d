#include "proxy/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "http/url.h"

namespace tandem::proxy {
namespace {

absl::Status CheckLengths(const InstanceFlags& flags) {
  const size_t hosts = flags.hosts.size();
  const size_t ports = flags.ports.size();
  if (hosts == 0 || ports == 0) {
    return absl::InvalidArgumentError(
        fmt::format("--{0}-host and --{0}-port need at least one value", flags.role));
  }
  if (hosts != ports && hosts != 1 && ports != 1) {
    return absl::InvalidArgumentError(
        fmt::format("--{0}-host lists {1} hosts and --{0}-port {2} ports; accepted are lists of "
                    "the same length, "
                    "or one host or one port for all",
                    flags.role, hosts, ports));
  }
  const size_t listed = std::max(hosts, ports);
  const auto count = static_cast<size_t>(flags.count);
  if (flags.count < 0 || (flags.count > 0 && listed > 1 && count != listed)) {
    return absl::InvalidArgumentError(fmt::format(
        "--num-{0}s is {1}, but --{0}-host and --{0}-port list {2}; accepted is {2}, or "
        "one host and port, from which ports are counted up",
        flags.role, flags.count, listed));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListInstances(const InstanceFlags& flags) {
  if (absl::Status lengths = CheckLengths(flags); !lengths.ok()) return lengths;
  const size_t listed = std::max(flags.hosts.size(), flags.ports.size());
  const bool consecutive = listed == 1 && flags.count > 1;
  const size_t count = consecutive ? static_cast<size_t>(flags.count) : listed;
  std::vector<std::string> instances;
  for (size_t i = 0; i < count; ++i) {
    const std::string& host = flags.hosts[flags.hosts.size() == 1 ? 0 : i];
    const int port = consecutive ? flags.ports[0] + static_cast<int>(i)
                                 : flags.ports[flags.ports.size() == 1 ? 0 : i];
    if (port < 1 || port > 65535) {
      return absl::InvalidArgumentError(
          fmt::format("--{}-port gives {}; accepted is 1 to 65535", flags.role, port));
    }
    const std::string address = http::Url{.host = host, .port = port}.Authority();
    if (!http::ParseUrl("http://" + address).ok()) {
      return absl::InvalidArgumentError(fmt::format(
          "--{}-host gives '{}'; accepted is a host name or an address", flags.role, host));
    }
    if (std::find(instances.begin(), instances.end(), address) != instances.end()) {
      return absl::InvalidArgumentError(
          fmt::format("--{0}-host and --{0}-port list {1} twice", flags.role, address));
    }
    instances.push_back(address);
  }
  return instances;
}

}  // namespace tandem::proxy
