#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tandem {

/// A host, and a port of it, as people name them.
struct HostPort {
  std::string host;  ///< Without the brackets of IPv6.
  int port = 0;      ///< 0 if none is named.

  /// "host:port", with brackets around an IPv6 address.
  std::string ToString() const;
};

/// Takes "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6 address apart. InvalidArgument for
/// a port that is not in 1..65535, or without a host.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

/// An address of IPv6 without its brackets, and any other host as it is.
std::string WithoutBrackets(std::string_view host);

/// A host, an address of IPv6 with or without its brackets, as ParseHostPort takes it.
std::string FormatHostPort(std::string_view host, int port);

}  // namespace tandem
