#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/security.h"
#include "base/tls.h"
#include "http/server.h"

namespace tandem::cli {

/// What keeps strangers out of the store's ports.
struct Secured {
  Security security;
  TlsContext tls;  ///< For HTTP; null without TLS.
};

/// Errors are for the user.
absl::StatusOr<Secured> Secure(const SecurityOptions& options);

/// Serves HTTP as `secured` says until what it returns is destroyed. `options` needs no tls. Errors
/// are for the user and name `flag`, which chooses the port.
absl::StatusOr<std::unique_ptr<http::Server>> ServeSecured(http::ServerOptions options,
                                                           const Secured& secured,
                                                           http::Handler handler, const char* flag);

}  // namespace tandem::cli
