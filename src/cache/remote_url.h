#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/host_port.h"

namespace tandem::cache {

/// A server's address: "host:port" or "[IPv6]:port". InvalidArgument says what is accepted, without
/// naming the option.
absl::StatusOr<HostPort> ParseServerAddress(std::string_view text);

/// Where the shared store is: "mooncakestore://host:port/", with "?device=..." if wanted.
struct RemoteUrl {
  HostPort master;
  std::string device;
};
absl::StatusOr<RemoteUrl> ParseRemoteUrl(std::string_view text);

/// Whether `text` is what metadata_server takes: "http://host:port/metadata" or "P2PHANDSHAKE".
absl::Status CheckMetadataServer(std::string_view text);

}  // namespace tandem::cache
