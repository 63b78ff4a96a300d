#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tandem::cache {

/// An address as "host:port" or "[IPv6]:port".
struct HostPort {
  std::string host;
  int port = 0;
  std::string ToString() const;
};

/// InvalidArgument says what is wrong with the text, without naming the option.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

/// Where the shared store is: "mooncakestore://host:port/", with "?device=..." if wanted.
struct RemoteUrl {
  HostPort master;
  std::string device;
};
absl::StatusOr<RemoteUrl> ParseRemoteUrl(std::string_view text);

/// Whether `text` is what metadata_server takes: "http://host:port/metadata" or "P2PHANDSHAKE".
absl::Status CheckMetadataServer(std::string_view text);

}  // namespace tandem::cache
