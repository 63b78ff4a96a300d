#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "loadgen/store_load.h"

namespace tandem::cli {

struct BenchStoreOptions {
  std::string master;  ///< "host:port"; empty runs a master for the length of the measurement.
  std::string metadata_server = "P2PHANDSHAKE";
  std::string hostname = "127.0.0.1";
  std::string protocol = "tcp";
  std::string device_name;
  uint64_t segment_bytes = 512 << 20;
  loadgen::StoreLoadOptions load;
};

/// Measures the ways an object can go between two processes of this machine: a child that lends a
/// segment and puts into it; and this process, which gets by mapping that segment and, under the
/// name of another host, gets and puts over the network. Forks: to be called while this process has
/// one thread.
absl::StatusOr<std::vector<loadgen::StoreFigure>> BenchStore(const BenchStoreOptions& options);

}  // namespace tandem::cli
