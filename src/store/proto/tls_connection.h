#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/tls.h"

namespace tandem::store {

/// TLS over a connected socket, of one thread at a time. No wait lasts beyond its deadline,
/// whatever the other end sends, and nothing is sent to it before a handshake has succeeded.
class TlsConnection {
 public:
  /// `socket` is a descriptor that outlives this.
  TlsConnection(int socket, TlsContext context);

  /// Shakes hands with a server whose certificate must be of the context's CA and name `host`.
  /// Unavailable says why that failed.
  absl::Status Connect(const std::string& host, TimePoint deadline);
  /// Shakes hands with a client, which must show what the context demands.
  absl::Status Accept(TimePoint deadline);

  /// Sends both in turn, in one record if they fit. Only after a handshake. Unavailable if the
  /// connection is broken, DeadlineExceeded at `deadline`.
  absl::Status Send(std::string_view head, std::string_view body, TimePoint deadline);
  /// Receives up to `size` bytes, and at least one. Unavailable if there will be none, as the other
  /// end has closed say; DeadlineExceeded at `deadline`. Only after a handshake.
  absl::StatusOr<size_t> Receive(char* bytes, size_t size, TimePoint deadline);

  /// Whether something has been read from the socket that was not received yet.
  bool HasPending() const;

 private:
  struct Network {
    int socket = -1;
    TimePoint deadline;
  };
  struct Callbacks;

  absl::Status ShakeHands(TimePoint deadline);
  /// Repeats a call of OpenSSL until it does not want to wait any more.
  template <typename Call>
  absl::Status Complete(TimePoint deadline, Call call);

  const TlsContext context_;
  const std::unique_ptr<Network> network_;  // what OpenSSL reads from and writes to
  const std::unique_ptr<ssl_st, void (*)(ssl_st*)> connection_;
};

}  // namespace tandem::store
