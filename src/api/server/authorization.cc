#include "api/server/authorization.h"

#include <optional>
#include <string_view>

#include "base/bearer_token.h"

namespace tandem::api {
absl::Status Authorization::Check(const http::Request& request) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (keys_.empty() || !request.path.starts_with("/v1")) return absl::OkStatus();
  const std::optional<std::string> header = request.headers.Get("Authorization");
  if (!header || !header->starts_with(kScheme)) {
    return absl::UnauthenticatedError(
        "Authorization is missing: send the header \"Authorization: Bearer <API key>\"");
  }
  const std::string_view sent = std::string_view(*header).substr(kScheme.size());
  bool known = false;
  for (const std::string& key : keys_) known |= SameSecret(sent, key);
  if (known) return absl::OkStatus();
  return absl::UnauthenticatedError("Authorization: the API key is not one that is accepted here");
}

}  // namespace tandem::api
