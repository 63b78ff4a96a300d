#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace tandem::proxy {

struct ProxyOptions {
  std::string host = "0.0.0.0";
  int port = 8000;  ///< 0 lets the system choose.
  int threads = 1;  ///< Of the server, and of the client that asks the instances.
  std::vector<std::string> prefillers;  ///< "host:port" each; at least one.
  std::vector<std::string> decoders;    ///< "host:port" each; at least one.
  std::string version;                  ///< What GET /version tells.

  /// The longest silence within a decoder's stream before the decoder is taken for dead. A hung one
  /// that recovers sooner goes on.
  Duration idle_timeout = std::chrono::seconds(60);
  Duration probe_interval = std::chrono::seconds(1);
  Duration probe_timeout = std::chrono::seconds(2);  ///< Two silent probes in a row: it is down.
  /// A request is taken from an instance that has neither answered the health probes nor sent
  /// anything of the reply for so long.
  Duration patience = std::chrono::seconds(10);

  /// Requests with the same value of this header go to the same pair. Empty: no such binding.
  std::string session_header;
};

/// The flags that name the instances of one role, as the LMCache proxy takes them.
struct InstanceFlags {
  std::string role;  ///< "prefiller" or "decoder": begins the flags' names in errors.
  std::vector<std::string> hosts;
  std::vector<int> ports;
  int count = 0;  ///< 0 if the flag was not given.
};

/// The "host:port" of each instance: pairs of hosts and ports, one host with many ports or many
/// hosts with one port, or one host and port with a count, which means consecutive ports.
/// InvalidArgument names the flag, the value and what is accepted.
absl::StatusOr<std::vector<std::string>> ListInstances(const InstanceFlags& flags);

}  // namespace tandem::proxy
