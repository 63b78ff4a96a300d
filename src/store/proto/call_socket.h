#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/scoped_fd.h"
#include "base/tls.h"
#include "store/proto/tls_connection.h"

namespace tandem::store {

/// One end of a connection that calls go over, plain or with TLS; closed, without a wait, when it
/// goes out of scope. Of one thread at a time, but for shutdown of the descriptor.
class CallSocket {
 public:
  CallSocket() = default;
  explicit CallSocket(ScopedFd socket) : socket_(std::move(socket)) {}

  bool valid() const { return socket_.valid(); }
  const ScopedFd& descriptor() const { return socket_; }

  /// Speaks TLS from here on, with a server whose certificate must be of the context's CA and name
  /// `host`. Unavailable says why that cannot be, DeadlineExceeded if it took too long: then
  /// nothing is sent in plain either.
  absl::Status ConnectTls(const TlsContext& context, const std::string& host, TimePoint deadline);
  /// The same with a client, which must show what the context demands.
  absl::Status AcceptTls(const TlsContext& context, TimePoint deadline);

  /// Sends both in turn. Unavailable if the connection is broken, DeadlineExceeded at `deadline`.
  absl::Status Send(std::string_view head, std::string_view body, TimePoint deadline);
  /// Fills `bytes`. Unavailable if the connection is broken, as the other end has closed say;
  /// DeadlineExceeded at `deadline`. Sets `got_any` if some came.
  absl::Status Receive(char* bytes, size_t size, TimePoint deadline, bool* got_any);

  /// Whether something has come that was not received yet, if only the end of the connection.
  bool HasCome() const;
  /// Whether the other end has closed, and nothing that it sent before is left.
  bool IsClosed() const;

 private:
  ScopedFd socket_;
  std::unique_ptr<TlsConnection> tls_;  // null where it is plain
};

}  // namespace tandem::store
