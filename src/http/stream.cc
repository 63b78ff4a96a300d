#include "http/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <string_view>
#include <utility>

namespace tandem::http {
namespace {

namespace asio = boost::asio;

/// To whoever speaks plain HTTP where TLS is spoken.
constexpr std::string_view kPlainHttpAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 36\r\n"
    "Connection: close\r\n\r\nthis port speaks TLS: use https://\r\n";

class PlainStream : public Stream {
 public:
  explicit PlainStream(Socket socket) : socket_(std::move(socket)) {}

  Socket& socket() override { return socket_; }
  void Handshake(std::function<void(const std::string&)> done) override { done(""); }
  void ReadSome(asio::mutable_buffer buffer, Done done) override {
    socket_.async_read_some(buffer, std::move(done));
  }
  void Write(const std::vector<asio::const_buffer>& buffers, Done done) override {
    asio::async_write(socket_, buffers, std::move(done));
  }
  void ShutdownSend(std::shared_ptr<void>) override {
    ErrorCode ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }

 private:
  Socket socket_;
};

class TlsStream : public Stream {
 public:
  TlsStream(Socket socket, const TlsContext& tls, bool server)
      : context_(tls), stream_(std::move(socket), borrowed_), server_(server) {}

  ssl_st* connection() { return stream_.native_handle(); }
  Socket& socket() override { return stream_.next_layer(); }
  void Handshake(std::function<void(const std::string&)> done) override {
    stream_.async_handshake(
        server_ ? asio::ssl::stream_base::server : asio::ssl::stream_base::client,
        [this, done = std::move(done)](const ErrorCode& error) {
          const std::string failure = Describe(error);
          if (!server_ || !IsPlainHttp(error)) return done(failure);
          asio::async_write(socket(), asio::buffer(kPlainHttpAnswer),
                            [done, failure](const ErrorCode&, size_t) { done(failure); });
        });
  }
  void ReadSome(asio::mutable_buffer buffer, Done done) override {
    stream_.async_read_some(buffer, std::move(done));
  }
  void Write(const std::vector<asio::const_buffer>& buffers, Done done) override {
    asio::async_write(stream_, buffers, std::move(done));
  }
  void ShutdownSend(std::shared_ptr<void> holder) override {
    stream_.async_shutdown([holder = std::move(holder)](const ErrorCode&) {});
  }

 private:
  static bool IsPlainHttp(const ErrorCode& error) {
    return error.category() == asio::error::get_ssl_category() &&
           ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_HTTP_REQUEST;
  }
  std::string Describe(const ErrorCode& error) {
    if (!error) return "";
    const bool of_tls = error.category() == asio::error::get_ssl_category();
    // The text of the socket's own error, such as that it was reset, says more than none of TLS.
    if (!of_tls && SSL_get_verify_result(connection()) == X509_V_OK) {
      return "it closes the connection in the TLS handshake: " + error.message();
    }
    return DescribeHandshakeError(connection(), static_cast<unsigned long>(error.value()));
  }

  const TlsContext context_;
  // Asio's context takes over a reference.
  asio::ssl::context borrowed_{(SSL_CTX_up_ref(context_.get()), context_.get())};
  asio::ssl::stream<Socket> stream_;
  const bool server_;
};

}  // namespace

std::unique_ptr<Stream> Stream::OfServer(Socket socket, const TlsContext& tls) {
  if (tls == nullptr) return std::make_unique<PlainStream>(std::move(socket));
  return std::make_unique<TlsStream>(std::move(socket), tls, /*server=*/true);
}

std::unique_ptr<Stream> Stream::OfClient(Socket socket, const TlsContext& tls,
                                         const std::string& host) {
  if (tls == nullptr) return std::make_unique<PlainStream>(std::move(socket));
  auto stream = std::make_unique<TlsStream>(std::move(socket), tls, /*server=*/false);
  ExpectHost(stream->connection(), host);
  return stream;
}

}  // namespace tandem::http
