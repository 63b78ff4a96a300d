#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/bearer_token.h"
#include "base/clock.h"
#include "base/scoped_fd.h"
#include "base/tls.h"
#include "store/proto/call_socket.h"

namespace tandem::store {

// Calls from other hosts, over TCP, with TLS where gRPC has it. A client's first frame is a hello
// with the pool's token, which a status answers.

/// The field of gRPC's answers by which a master says at which port it takes such calls.
inline constexpr char kCallPortField[] = "tandem-call-port";

/// Connects to a master at the port that it named last. Safe for use by several threads.
class RemoteConnector {
 public:
  /// `host` is a name or an address, which the master's certificate must name; it speaks plain TCP
  /// if `tls` is null.
  RemoteConnector(const std::string& host, TlsContext tls, BearerToken token);

  /// What the master said in answer to a call; empty if it said nothing.
  void SetPort(std::string_view text);

  /// Invalid if no port is known, or the master does not take calls there: then none is, until it
  /// is named again.
  CallSocket Connect(TimePoint deadline);

 private:
  bool Introduce(CallSocket& socket, TimePoint deadline);

  const std::string host_;
  const TlsContext tls_;
  const BearerToken token_;
  std::atomic<int> port_ = 0;                        // 0 for none
  std::atomic<TimePoint> not_before_ = TimePoint();  // after a failure
};

struct RemoteListener {
  ScopedFd socket;
  int port = 0;
};
/// Listens at any free port of `address`, a name or an address of this host.
absl::StatusOr<RemoteListener> ListenRemotely(const std::string& address);

/// Shakes hands with a client, unless `tls` is null, takes its hello and answers that. Whether it
/// may call.
bool AdmitRemote(CallSocket& socket, const TlsContext& tls, const BearerToken& token);

}  // namespace tandem::store
