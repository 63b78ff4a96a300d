#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "store/master/master.h"
#include "store/master/master_metrics.h"

namespace tandem::store {

/// Serves a Master over gRPC.
class MasterService {
 public:
  struct Options {
    std::string address = "0.0.0.0";
    int port = 0;     ///< 0 lets the system choose; MasterService::port() tells.
    int threads = 4;  ///< The most that answer calls.
  };

  /// Listens and starts serving. `master` and `metrics` must outlive the service. On failure the
  /// error names address and port and why they cannot be had.
  static absl::StatusOr<std::unique_ptr<MasterService>> Start(const Options& options,
                                                              Master& master,
                                                              MasterMetrics& metrics);
  /// Breaks off the calls in flight.
  virtual ~MasterService() = default;

  /// The port it listens on.
  virtual int port() const = 0;
};

}  // namespace tandem::store
