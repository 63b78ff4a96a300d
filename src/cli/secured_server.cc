#include "cli/secured_server.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/status.h"
#include "http/token_guard.h"

namespace tandem::cli {

absl::StatusOr<Secured> Secure(const SecurityOptions& options) {
  Secured secured;
  ASSIGN_OR_RETURN(secured.security, LoadSecurity(options));
  if (!secured.security.tls) return secured;
  ASSIGN_OR_RETURN(secured.tls, MakeTlsServerContext(secured.security.files));
  return secured;
}

absl::StatusOr<std::unique_ptr<http::Server>> ServeSecured(http::ServerOptions options,
                                                           const Secured& secured,
                                                           http::Handler handler,
                                                           const char* flag) {
  options.tls = secured.tls;
  auto server = http::Server::Start(std::move(options),
                                    http::RequireToken(secured.security.token, std::move(handler)));
  if (server.ok()) return server;
  return absl::Status(server.status().code(),
                      fmt::format("{}; --{} chooses another, port 0 lets the system choose",
                                  std::string(server.status().message()), flag));
}

}  // namespace tandem::cli
