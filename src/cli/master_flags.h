#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/security.h"
#include "cli/commands.h"
#include "store/master/master_options.h"

namespace tandem::cli {

/// The command line of `tandem master`, which is mooncake_master's.
struct MasterFlags {
  std::string rpc_address = "0.0.0.0";
  int rpc_port = 50051;
  int64_t rpc_thread_num = 4;
  int metrics_port = 9003;
  bool enable_metric_reporting = true;
  bool enable_http_metadata_server = false;
  std::string http_metadata_server_host = "0.0.0.0";
  int http_metadata_server_port = 8080;
  int64_t verbosity = 0;
  std::string ready_file;
  bool enable_ha = false;
  std::vector<std::string> etcd_endpoints;
  std::string cluster_id = "mooncake_cluster";
  int64_t etcd_lease_seconds = 5;
  std::string snapshot_backup_dir;  ///< Empty for no snapshots.
  int64_t snapshot_interval_seconds = 600;
  SecurityOptions security;
  store::MasterOptions master;

  /// One sentence for each flag that was changed and means nothing here.
  std::vector<std::string> without_effect;
  /// Set if help was asked for; the rest is at its defaults then.
  std::string help;

  /// Reads the arguments, and below them the file that --config_path names: a YAML or JSON map from
  /// names of flags to values. InvalidArgument names the flag and what is accepted.
  static absl::StatusOr<MasterFlags> Parse(const Arguments& arguments);
};

}  // namespace tandem::cli
