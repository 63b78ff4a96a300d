#include "store/proto/tls_probe.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <algorithm>
#include <memory>

#include "base/host_port.h"
#include "base/socket_wait.h"
#include "base/tcp_connect.h"

namespace tandem::store {
namespace {

/// A server that wants a certificate says so only after the handshake.
constexpr Duration kRefusalTime = std::chrono::milliseconds(300);

constexpr uint8_t kHttp2[] = {2, 'h', '2'};

/// Repeats a call until it does not want to wait any more; SSL_ERROR_NONE if it succeeded,
/// SSL_ERROR_WANT_READ if it has not ended in time.
template <typename Call>
int Complete(SSL* connection, int fd, TimePoint deadline, Call call) {
  while (true) {
    ERR_clear_error();
    const int result = call();
    const int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(connection, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return error;
    if (!WaitForSocket(fd, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) {
      return SSL_ERROR_WANT_READ;
    }
  }
}

/// Whether the last error is something that the other end said in TLS.
bool WasToldInTls() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET;
}

}  // namespace

std::string FindTlsFailure(const std::string& address, const TlsContext& context,
                           TimePoint deadline) {
  const absl::StatusOr<HostPort> server = ParseHostPort(address);
  if (!server.ok() || server->port == 0) return "";
  const ScopedFd socket = ConnectTcp(server->host, server->port, deadline);
  if (!socket.valid()) return "";
  TlsContext used = context;
  // Nothing is said to the other end: who it is does not matter.
  if (used == nullptr) used = TlsContext(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> connection(SSL_new(used.get()), &SSL_free);
  SSL_set_fd(connection.get(), socket.get());
  if (context != nullptr) ExpectHost(connection.get(), server->host);
  // Without it gRPC hangs up.
  SSL_set_alpn_protos(connection.get(), kHttp2, sizeof(kHttp2));
  int error = Complete(connection.get(), socket.get(), deadline,
                       [&] { return SSL_connect(connection.get()); });
  if (context == nullptr) {
    if (error != SSL_ERROR_NONE && !(error == SSL_ERROR_SSL && WasToldInTls())) return "";
    return "it speaks TLS, and this end does not: tls_ca_file is not set";
  }
  if (error == SSL_ERROR_NONE) {
    char byte = 0;
    error = Complete(connection.get(), socket.get(),
                     std::min(deadline, Clock::Real().Now() + kRefusalTime),
                     [&] { return SSL_peek(connection.get(), &byte, 1); });
    if (error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ) return "";
    if (!WasToldInTls()) {
      return "it hangs up after the handshake, as one does that verifies clients; see "
             "tls_cert_file and tls_key_file";
    }
  }
  return error == SSL_ERROR_WANT_READ ? "" : DescribeHandshakeError(connection.get());
}

}  // namespace tandem::store
