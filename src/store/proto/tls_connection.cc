#include "store/proto/tls_connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <new>

#include "base/socket_wait.h"
#include "base/status.h"

namespace tandem::store {
namespace {

constexpr size_t kRecordBytes = 16 << 10;

}  // namespace

/// OpenSSL's own socket may raise SIGPIPE, and would read for as long as another end sends what is
/// no data, new keys say.
struct TlsConnection::Callbacks {
  static int Read(BIO* bio, char* bytes, int size) {
    const auto* network = static_cast<const Network*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const bool late = Clock::Real().Now() >= network->deadline;
    const ssize_t got =
        late ? -1 : recv(network->socket, bytes, static_cast<size_t>(size), MSG_DONTWAIT);
    if (late || (got < 0 && (errno == EAGAIN || errno == EINTR))) BIO_set_retry_read(bio);
    return static_cast<int>(got);
  }
  static int Write(BIO* bio, const char* bytes, int size) {
    const auto* network = static_cast<const Network*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const ssize_t sent =
        send(network->socket, bytes, static_cast<size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
  }
  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO* Make(Network* network) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "call socket");
      if (made == nullptr) throw std::bad_alloc();
      BIO_meth_set_read(made, &Read);
      BIO_meth_set_write(made, &Write);
      BIO_meth_set_ctrl(made, &Control);
      return made;
    }();
    BIO* bio = BIO_new(method);
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, network);
    BIO_set_init(bio, 1);
    return bio;
  }
};

TlsConnection::TlsConnection(int socket, TlsContext context)
    : context_(std::move(context)),
      network_(std::make_unique<Network>(Network{socket, {}})),
      connection_(SSL_new(context_.get()), &SSL_free) {
  if (connection_ == nullptr) throw std::bad_alloc();
  BIO* bio = Callbacks::Make(network_.get());
  SSL_set_bio(connection_.get(), bio, bio);
  // A record in one call of the system, and without a new buffer for each.
  SSL_set_read_ahead(connection_.get(), 1);
  SSL_clear_mode(connection_.get(), SSL_MODE_RELEASE_BUFFERS);
}

template <typename Call>
absl::Status TlsConnection::Complete(TimePoint deadline, Call call) {
  network_->deadline = deadline;
  while (true) {
    ERR_clear_error();
    const int result = call(connection_.get());
    if (result == 1) return absl::OkStatus();
    const int reason = SSL_get_error(connection_.get(), result);
    if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE) {
      return absl::UnavailableError("the connection to the master broke");
    }
    const short events = reason == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    if (Clock::Real().Now() >= deadline || !WaitForSocket(network_->socket, events, deadline)) {
      return absl::DeadlineExceededError("the other end of the call does not go on");
    }
  }
}

absl::Status TlsConnection::ShakeHands(TimePoint deadline) {
  const absl::Status status = Complete(deadline, &SSL_do_handshake);
  if (!absl::IsUnavailable(status)) return status;
  return absl::UnavailableError(DescribeHandshakeError(connection_.get()));
}

absl::Status TlsConnection::Connect(const std::string& host, TimePoint deadline) {
  ExpectHost(connection_.get(), host);
  SSL_set_connect_state(connection_.get());
  return ShakeHands(deadline);
}

absl::Status TlsConnection::Accept(TimePoint deadline) {
  SSL_set_accept_state(connection_.get());
  return ShakeHands(deadline);
}

absl::Status TlsConnection::Send(std::string_view head, std::string_view body, TimePoint deadline) {
  std::array<char, kRecordBytes> together;
  while (!head.empty() || !body.empty()) {
    std::string_view piece = body;
    if (!head.empty()) {
      const size_t of_head = head.copy(together.data(), together.size());
      head.remove_prefix(of_head);
      const size_t of_body = body.copy(together.data() + of_head, together.size() - of_head);
      body.remove_prefix(of_body);
      piece = {together.data(), of_head + of_body};
    } else {
      body = {};
    }
    while (!piece.empty()) {
      size_t sent = 0;
      RETURN_IF_ERROR(Complete(deadline, [&](SSL* connection) {
        return SSL_write_ex(connection, piece.data(), piece.size(), &sent);
      }));
      piece.remove_prefix(sent);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> TlsConnection::Receive(char* bytes, size_t size, TimePoint deadline) {
  size_t got = 0;
  RETURN_IF_ERROR(Complete(
      deadline, [&](SSL* connection) { return SSL_read_ex(connection, bytes, size, &got); }));
  return got;
}

bool TlsConnection::HasPending() const { return SSL_has_pending(connection_.get()) == 1; }

}  // namespace tandem::store
