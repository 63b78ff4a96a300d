#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/security.h"
#include "store/client/store_client.h"

namespace tandem::cli {

/// What `tandem store`'s subcommands have in common.
struct StoreOptions {
  std::string master = "127.0.0.1:50051";
  std::string
      hostname;  ///< Where others reach this process; empty: the address that reaches the master.
  std::string metadata_server = "P2PHANDSHAKE";
  std::string protocol = "tcp";
  std::string device_name;
  uint64_t segment_bytes = 0;
  uint64_t buffer_bytes = 1 << 30;
  int timeout_seconds = 10;
  bool json = false;
  SecurityOptions security;
};

/// Joins the pool as the options say.
absl::StatusOr<std::unique_ptr<store::StoreClient>> JoinPool(const StoreOptions& options,
                                                             MetricRegistry& metrics);

// Each does what the subcommand of its name does, prints the result to standard output (as JSON
// where asked) and returns an error whose message is for the user.
absl::Status PutObject(const StoreOptions& options, const std::string& key, const std::string& file,
                       const store::ReplicateConfig& config);
absl::Status GetObject(const StoreOptions& options, const std::string& key,
                       const std::string& file);
absl::Status ListObjects(const StoreOptions& options, const std::string& prefix);
absl::Status RemoveObjects(const StoreOptions& options, const std::vector<std::string>& keys,
                           bool force);
absl::Status DescribeObject(const StoreOptions& options, const std::string& key);

}  // namespace tandem::cli
