#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/bearer_token.h"
#include "base/clock.h"
#include "base/scoped_fd.h"

namespace tandem::store {

// Calls from other hosts, over TCP without TLS. A client's first frame is a hello with the pool's
// token, which a status answers.

/// The field of gRPC's answers by which a master says at which port it takes such calls.
inline constexpr char kCallPortField[] = "tandem-call-port";

/// Connects to a master at the port that it named last. Safe for use by several threads.
class RemoteConnector {
 public:
  RemoteConnector(std::string host, BearerToken token)
      : host_(std::move(host)), token_(std::move(token)) {}

  /// What the master said in answer to a call; empty if it said nothing.
  void SetPort(std::string_view text);

  /// Invalid if no port is known, or the master does not take calls there: then none is, until it
  /// is named again.
  ScopedFd Connect(TimePoint deadline);

 private:
  const std::string host_;
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

/// Takes a client's hello, and answers it. Whether it may call.
bool AdmitRemote(const ScopedFd& socket, const BearerToken& token);

}  // namespace tandem::store
