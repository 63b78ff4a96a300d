#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

// OpenSSL's own types.
struct ssl_ctx_st;
struct ssl_st;

namespace tandem {

/// Files in PEM that say how a process speaks TLS.
struct TlsFiles {
  std::string ca;               ///< Certificates that are trusted.
  std::string certificate;      ///< This process's own, and those between it and the CA's.
  std::string key;              ///< Of that certificate.
  bool verify_clients = false;  ///< As a server: only clients with a certificate of that CA.
};

/// Their contents; empty for those that are not named.
struct TlsTexts {
  std::string ca, certificate, key;
};

/// Reads the files, for a library that takes texts. InvalidArgument names the option.
absl::StatusOr<TlsTexts> ReadTlsFiles(const TlsFiles& files);

/// What OpenSSL's connections are made from. Safe for use by several threads.
using TlsContext = std::shared_ptr<ssl_ctx_st>;

/// Of a server: needs certificate and key, and the CA if it verifies clients. InvalidArgument names
/// the option (tls_ca_file, tls_cert_file or tls_key_file), the file and what is wrong with it.
absl::StatusOr<TlsContext> MakeTlsServerContext(const TlsFiles& files);
/// Of a client: needs the CA; shows its certificate, if it has one, to servers that ask.
absl::StatusOr<TlsContext> MakeTlsClientContext(const TlsFiles& files);

/// Has a client's handshake succeed only if the server's certificate names `host`, a name or an
/// address.
void ExpectHost(ssl_st* connection, const std::string& host);

/// Why a handshake failed, in words for whoever set it up: what is wrong with the other end's
/// certificate, or that it does not speak TLS. `error` is OpenSSL's code, 0 for the last one of
/// this thread.
std::string DescribeHandshakeError(const ssl_st* connection, unsigned long error = 0);

}  // namespace tandem
