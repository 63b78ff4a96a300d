#include "base/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace tandem {
namespace {

std::string LastReason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "unknown error" : reason;
}

absl::Status Refuse(const char* option, const std::string& file, const char* expected) {
  if (file.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(option, " is not set; it takes ", expected));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      option, ": '", file, "' cannot be used: ", LastReason(), "; it takes ", expected));
}

absl::StatusOr<TlsContext> MakeContext(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method), &SSL_CTX_free);
  if (context == nullptr) return absl::InternalError(absl::StrCat("OpenSSL: ", LastReason()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  return context;
}

absl::Status UseCa(SSL_CTX* context, const TlsFiles& files) {
  ERR_clear_error();
  if (files.ca.empty() || SSL_CTX_load_verify_file(context, files.ca.c_str()) != 1) {
    return Refuse("tls_ca_file", files.ca, "the CA's certificate in PEM");
  }
  return absl::OkStatus();
}

absl::Status UseCertificate(SSL_CTX* context, const TlsFiles& files) {
  ERR_clear_error();
  if (files.certificate.empty() ||
      SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return Refuse("tls_cert_file", files.certificate, "this process's certificate in PEM");
  }
  if (files.key.empty() ||
      SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return Refuse("tls_key_file", files.key,
                  "the private key of tls_cert_file in PEM, without a passphrase");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TlsTexts> ReadTlsFiles(const TlsFiles& files) {
  const auto read = [](const char* option, const std::string& path, std::string& text) {
    if (path.empty()) return absl::OkStatus();
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    text = content.str();
    if (file && !text.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(option, ": '", path, "' cannot be read"));
  };
  TlsTexts texts;
  RETURN_IF_ERROR(read("tls_ca_file", files.ca, texts.ca));
  RETURN_IF_ERROR(read("tls_cert_file", files.certificate, texts.certificate));
  RETURN_IF_ERROR(read("tls_key_file", files.key, texts.key));
  return texts;
}

absl::StatusOr<TlsContext> MakeTlsServerContext(const TlsFiles& files) {
  ASSIGN_OR_RETURN(TlsContext context, MakeContext(TLS_server_method()));
  RETURN_IF_ERROR(UseCertificate(context.get(), files));
  // Connections live long, and one that is resumed would be no cheaper to check.
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (files.verify_clients) {
    RETURN_IF_ERROR(UseCa(context.get(), files));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

absl::StatusOr<TlsContext> MakeTlsClientContext(const TlsFiles& files) {
  ASSIGN_OR_RETURN(TlsContext context, MakeContext(TLS_client_method()));
  RETURN_IF_ERROR(UseCa(context.get(), files));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (!files.certificate.empty() || !files.key.empty()) {
    RETURN_IF_ERROR(UseCertificate(context.get(), files));
  }
  return context;
}

void ExpectHost(ssl_st* connection, const std::string& host) {
  X509_VERIFY_PARAM* expected = SSL_get0_param(connection);
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  in6_addr address{};
  const bool numeric = inet_pton(AF_INET, host.c_str(), &address) == 1 ||
                       inet_pton(AF_INET6, host.c_str(), &address) == 1;
  if (numeric) {
    X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size());
    SSL_set_tlsext_host_name(connection, host.c_str());
  }
}

std::string DescribeHandshakeError(const ssl_st* connection, unsigned long error) {
  if (error == 0) error = ERR_peek_last_error();
  const long verified = SSL_get_verify_result(connection);
  if (verified != X509_V_OK) {
    return absl::StrCat("its certificate is not trusted: ", X509_verify_cert_error_string(verified),
                        "; tls_ca_file must be the CA that signed it, and it must name the host "
                        "that is connected to");
  }
  switch (ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_BAD_RECORD_TYPE:
      return "it does not speak TLS; it runs without tls_cert_file, or another program answers";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "it does not trust the CA of this end's certificate, tls_cert_file";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "it asks for a certificate, and there is none: tls_cert_file and tls_key_file are not "
             "set";
    default:
      break;
  }
  const char* reason = ERR_reason_error_string(error);
  return absl::StrCat("the TLS handshake failed: ",
                      reason == nullptr ? "it closed the connection" : reason);
}

}  // namespace tandem
