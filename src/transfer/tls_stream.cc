#include "transfer/tls_stream.h"

#include <openssl/ssl.h>

#include <utility>

namespace tandem::transfer {
namespace {

/// Asio's context takes over a reference.
SSL_CTX* Share(const TlsContext& context) {
  SSL_CTX_up_ref(context.get());
  return context.get();
}

}  // namespace

TlsStream::TlsStream(Socket socket, TlsContext context)
    : context_(std::move(context)),
      borrowed_(Share(context_)),
      stream_(std::move(socket), borrowed_) {}

void TlsStream::ExpectHost(const std::string& host) {
  tandem::ExpectHost(stream_.native_handle(), host);
}

void TlsStream::SetSocketOptions() {
  ErrorCode ignored;
  socket().set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  socket().set_option(boost::asio::socket_base::keep_alive(true), ignored);
}

std::string TlsStream::Describe(const ErrorCode& error) {
  const bool of_tls = error.category() == boost::asio::error::get_ssl_category();
  if (!of_tls && SSL_get_verify_result(stream_.native_handle()) == X509_V_OK) {
    return "it closes the connection in the TLS handshake: " + error.message();
  }
  return DescribeHandshakeError(stream_.native_handle(), static_cast<unsigned long>(error.value()));
}

void TlsStream::Close() {
  ErrorCode ignored;
  socket().close(ignored);
}

}  // namespace tandem::transfer
