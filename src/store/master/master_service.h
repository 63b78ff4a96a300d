#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/security.h"
#include "store/master/master_metrics.h"
#include "store/master/serving_master.h"

namespace tandem::store {

/// Serves a Master over gRPC. While it stands by, every call is Unavailable and says so.
class MasterService {
 public:
  struct Options {
    std::string address = "0.0.0.0";
    int port = 0;     ///< 0 lets the system choose; MasterService::port() tells.
    int threads = 4;  ///< The most that wait for gRPC calls.
    /// TLS, and the token that calls have to carry: Unauthenticated without. Calls over the socket
    /// of this host and user need none.
    Security security;
  };

  /// Listens and starts serving. `metrics` must outlive the service. On failure the error names
  /// address and port and why they cannot be had, or the option of TLS that is wrong.
  static absl::StatusOr<std::unique_ptr<MasterService>> Start(
      const Options& options, std::shared_ptr<ServingMaster> serving, MasterMetrics& metrics);
  /// Breaks off the calls in flight.
  virtual ~MasterService() = default;

  /// The port it listens on.
  virtual int port() const = 0;
};

}  // namespace tandem::store
