#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/bearer_token.h"
#include "base/tls.h"

namespace tandem {

/// How a role of the store is secured, as flags, files of options and the environment say it. All
/// empty: by nothing. The names are those of the flags and keys that fill them in.
struct SecurityOptions {
  std::string tls_ca_file;          ///< PEM: the CA whose certificates are trusted.
  std::string tls_cert_file;        ///< PEM: the certificate that is shown to others.
  std::string tls_key_file;         ///< PEM: its private key.
  bool tls_verify_clients = false;  ///< Serve only clients with a certificate of that CA.
  std::string token_file;           ///< Holds the token that all roles have in common.
};

/// The same, read and checked.
struct Security {
  bool tls = false;
  TlsFiles files;
  BearerToken token;
};

/// Reads what the options name and, where they name nothing, the environment:
/// TANDEM_STORE_TLS_CA_FILE, TANDEM_STORE_TLS_CERT_FILE, TANDEM_STORE_TLS_KEY_FILE,
/// TANDEM_STORE_TOKEN_FILE, or the token itself in TANDEM_STORE_TOKEN. InvalidArgument names the
/// option and what is accepted.
absl::StatusOr<Security> LoadSecurity(const SecurityOptions& options);

/// What is said at start by a role that serves `what` on `address` with nothing to keep strangers
/// out, or with a token that whoever listens on the way may read; empty if there is no reason to.
std::string ExposureWarning(const std::string& what, const std::string& address,
                            const Security& security);

}  // namespace tandem
