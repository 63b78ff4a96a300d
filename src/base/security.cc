#include "base/security.h"

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace tandem {
namespace {

std::string OrEnvironment(const std::string& given, const char* variable) {
  if (!given.empty()) return given;
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

absl::StatusOr<BearerToken> LoadToken(const std::string& option) {
  const std::string file = OrEnvironment(option, "TANDEM_STORE_TOKEN_FILE");
  const std::string secret = OrEnvironment("", "TANDEM_STORE_TOKEN");
  // What is named explicitly comes before the environment.
  const bool from_file = !option.empty() || (!file.empty() && secret.empty());
  if (!from_file && secret.empty()) return BearerToken();
  absl::StatusOr<BearerToken> token =
      from_file ? BearerToken::FromFile(file) : BearerToken::Of(secret);
  if (token.ok()) return token;
  return absl::InvalidArgumentError(
      absl::StrCat(from_file ? "token_file: " : "TANDEM_STORE_TOKEN: ", token.status().message()));
}

bool IsLoopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address == "[::1]" ||
         absl::StartsWith(address, "127.");
}

}  // namespace

absl::StatusOr<Security> LoadSecurity(const SecurityOptions& options) {
  Security security;
  security.files = {OrEnvironment(options.tls_ca_file, "TANDEM_STORE_TLS_CA_FILE"),
                    OrEnvironment(options.tls_cert_file, "TANDEM_STORE_TLS_CERT_FILE"),
                    OrEnvironment(options.tls_key_file, "TANDEM_STORE_TLS_KEY_FILE"),
                    options.tls_verify_clients};
  security.tls = !security.files.ca.empty() || !security.files.certificate.empty() ||
                 !security.files.key.empty();
  if (options.tls_verify_clients && !security.tls) {
    return absl::InvalidArgumentError(
        "tls_verify_clients is set without TLS; it needs tls_ca_file, tls_cert_file and "
        "tls_key_file");
  }
  ASSIGN_OR_RETURN(security.token, LoadToken(options.token_file));
  return security;
}

std::string ExposureWarning(const std::string& what, const std::string& address,
                            const Security& security) {
  if (IsLoopback(address)) return "";
  if (!security.tls && security.token.empty()) {
    return absl::StrCat(what, " on ", address,
                        " without TLS and without a token: whoever reaches it may read, change and "
                        "remove everything; see tls_cert_file, tls_key_file and token_file");
  }
  if (!security.tls) {
    return absl::StrCat(what, " on ", address,
                        " without TLS: whoever listens on the way can read the token and the data; "
                        "see tls_cert_file and tls_key_file");
  }
  if (security.token.empty() && !security.files.verify_clients) {
    return absl::StrCat(what, " on ", address,
                        " without a token: whoever reaches it may read, change and remove "
                        "everything; see token_file");
  }
  return "";
}

}  // namespace tandem
